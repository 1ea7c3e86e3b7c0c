"""Running the `prova` command, for what is asked of a database or a driver from outside of an experiment."""

from __future__ import annotations

import json
import re
from typing import Any, List, Optional

from . import _ffi, errors

_CODES = {2: errors.ConfigError}


def run(arguments: List[str], *, ok: "tuple[int, ...]" = (0,), text: Optional[str] = None) -> str:
    """Runs `prova ARGUMENTS` and returns what it printed.

    Raises:
        NotFoundError: there is no such command, or it says that something does not exist.
        DriverTimeout: no driver answers.
        ProvaError: with its own words.
    """
    import subprocess  # only what asks needs it, not what runs
    try:
        done = subprocess.run([_ffi.command(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=text,
                              universal_newlines=True, check=False)
    except FileNotFoundError:
        raise errors.NotFoundError("the command 'prova' is not found: put it on the PATH, or its path into "
                                   "PROVA_BIN") from None
    if done.returncode not in ok:
        message = done.stderr.strip() or f"prova {arguments[0]} ended with exit status {done.returncode}"
        message = re.sub(r"^prova( \w+)?: ", "", message)
        if "there is no " in message or "no experiment" in message:
            raise errors.NotFoundError(message)
        if "no driver answers" in message:
            raise errors.DriverTimeout(message)
        raise _CODES.get(done.returncode, errors.ProvaError)(message)
    return done.stdout


def query(arguments: List[str], *, ok: "tuple[int, ...]" = (0,)) -> Any:
    """The same with `--json`, decoded."""
    return json.loads(run([*arguments, "--json"], ok=ok) or "null")

"""Running the `prova` command, for what is asked of a database or a driver from outside of an experiment."""

from __future__ import annotations

import json
import re
from typing import Any, Iterator, List, Optional, Type

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
        raise _not_found() from None
    if done.returncode not in ok:
        raise _failure(arguments[0], done.returncode, done.stderr)
    return done.stdout


def _not_found() -> errors.ProvaError:
    return errors.NotFoundError("the command 'prova' is not found: put it on the PATH, or its path into PROVA_BIN")


def _failure(command: str, status: int, words: str,
             otherwise: Type[errors.ProvaError] = errors.ProvaError) -> errors.ProvaError:
    message = words.strip() or f"prova {command} ended with exit status {status}"
    message = re.sub(r"^prova( \w+)?: ", "", message)
    if "there is no " in message or "no experiment" in message:
        return errors.NotFoundError(message)
    if "no driver answers" in message:
        return errors.DriverTimeout(message)
    return _CODES.get(status, otherwise)(message)


def documents(arguments: List[str]) -> Iterator[Any]:
    """Runs `prova ARGUMENTS --json` and gives each of its lines, decoded, as it comes. The process ends with the iterator.

    Raises:
        DriverError: it says that there is no driver.
        ProvaError: with its own words.
    """
    import subprocess
    import tempfile
    with tempfile.TemporaryFile("w+") as words:
        try:  # in a session of its own: Ctrl-C is for us, who then end it
            process = subprocess.Popen([_ffi.command(), *arguments, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=words, universal_newlines=True, start_new_session=True)
        except FileNotFoundError:
            raise _not_found() from None
        with process:  # closes the pipe, and waits
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
                status = process.wait()
            finally:
                process.terminate()
        if status:
            words.seek(0)
            raise _failure(arguments[0], status, (words.read().splitlines() or [""])[-1], errors.DriverError)


def query(arguments: List[str], *, ok: "tuple[int, ...]" = (0,)) -> Any:
    """The same with `--json`, decoded."""
    return json.loads(run([*arguments, "--json"], ok=ok) or "null")

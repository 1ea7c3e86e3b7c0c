"""The worker program of `prova.lagom`, started by libprova (see `_run._START_WORKER`).

It loads the training function, says in plain words if that fails, and serves.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from typing import IO, Any


def _load(file: IO[bytes], what: str) -> Any:
    data = pickle.load(file)
    if not isinstance(data, bytes):
        return data
    try:
        return pickle.loads(data)
    except ImportError as error:
        raise RuntimeError(f"a worker process cannot import what {what} needs: {error}. Is it installed for "
                           f"{sys.executable}, and on sys.path?") from error
    except Exception as error:
        raise RuntimeError(f"a worker process cannot load {what}: {type(error).__name__}: {error}") from error


def _prepare(path: str) -> Any:
    from . import _run, _trial
    from .config import Handle
    with open(path, "rb") as file:
        surroundings = pickle.load(file)
        sys.path[:] = surroundings["path"]
        if surroundings["main"]:
            sys.argv = [surroundings["main"]]
        config = pickle.loads(surroundings["config"])
        function = _load(file, "the training function")
        generators = _load(file, "the model or dataset")
    handle = Handle(config)
    sweep = handle.sweep()
    binding = _trial.Binding(function, sweep["parameters"], generators, sweep["metric"]["name"])
    return lambda: _run._serve(handle, binding)


def main(path: str) -> None:
    """Serves with what lies at `path`. Never returns normally."""
    try:
        serve = _prepare(path)
    except Exception as error:
        words = str(error) if isinstance(error, RuntimeError) else "".join(traceback.format_exception_only(type(error), error))
        with open(os.path.join(os.path.dirname(path), "error"), "w", encoding="utf-8") as file:
            file.write(words.strip())
        sys.exit(1)
    serve()

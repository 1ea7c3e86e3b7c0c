"""The worker program of `prova.lagom`, started by libprova (see `_run._START_WORKER`).

It loads the training function, says in plain words if that fails, and serves. The first trial waits for all that is
imported here, which is why so little is.
"""

from __future__ import annotations

import os
import pickle
import sys

from . import _ffi, _trial, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any, Optional


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


def _prepare(path: str) -> "tuple[int, _trial.Binding]":
    with open(path, "rb") as file:
        surroundings = pickle.load(file)
        sys.path[:] = surroundings["path"]
        if surroundings["main"]:
            sys.argv = [surroundings["main"]]
        function = _load(file, "the training function")
        generators = _load(file, "the model or dataset")
    # It was checked where it comes from.
    config = _ffi.library.prova_config_text(surroundings["sweep"].encode())
    return config, _trial.Binding(function, surroundings["signature"], generators, surroundings["metric"])


def serve(config: Optional[int], binding: _trial.Binding) -> None:
    """As a worker. Does not return: what follows in the script is for the process that asked."""
    lib = _ffi.library
    train = _trial.callback(binding)
    try:
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        pass
    result = lib.prova_lagom(train, None, config)
    if not result:
        raise MemoryError("prova_lagom")
    code, message = lib.prova_result_code(result), _ffi.text(lib.prova_result_error(result))
    lib.prova_result_free(result)
    if code and code != errors.Interrupted.code:
        raise errors.from_code(code, message)
    sys.stdout.flush()
    sys.exit(0)


def main(path: str) -> None:
    """Serves with what lies at `path`. Never returns normally."""
    try:
        config, binding = _prepare(path)
    except Exception as error:
        words = str(error) if isinstance(error, RuntimeError) else f"{type(error).__name__}: {error}"
        with open(os.path.join(os.path.dirname(path), "error"), "w", encoding="utf-8") as file:
            file.write(words.strip())
        sys.exit(1)
    serve(config, binding)

"""`lagom`: the one call."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
from ctypes import c_char_p
from typing import Any, Callable, Iterator, List, Mapping, Optional

from . import _ffi, _trial, errors
from .config import Config, Handle, as_config
from .result import Result

_lib = _ffi.library
PICKLE_PROTOCOL = 4  # of Python 3.8 and newer


def lagom(train_fn: Callable[..., Any], config: Any = None, **options: Any) -> Result:
    """Runs an experiment with this training function, wherever it is called.

    - In a script or notebook: starts a driver and local workers, shows progress, and returns the result.
    - With `driver=` (or $PROVA_DRIVER): submits to that driver, and serves it with local workers.
    - In a process with PROVA_ROLE=worker, PROVA_DRIVER and PROVA_EXPERIMENT: serves trials of that experiment until it
      is done, and then ends the process. So the same script is the worker program on other machines.
    - Inside a trial of a command sweep: runs the function once, with that trial's parameters.

    Args:
        train_fn: The training function. It names what it wants among its arguments: parameters of the search space, by
            their names; `hparams` (all of them, a dict), `reporter` (`broadcast(metric, step)`), `trial` (a
            `prova.Trial`), `model` and `dataset` (what the functions of the configuration make), `train_set` and
            `test_set` (a dataset's two parts); or `**kwargs`. It returns the objective, or a dict of metrics with it,
            or nothing, and then its last report counts. An exception fails its trial and nothing else.
        config: A `prova.Config`, the path of a sweep file, a dict in the form of one, or one of Maggy's configurations.
        **options: Fields of `prova.Config`, above those of `config`.

    Returns:
        The result. Everything is also in the database, for `prova` and `prova.connect`.

    Raises:
        ConfigError: something is wrong with the configuration or the arguments. Nothing was started.
        PicklingError: the function cannot be sent to fresh processes.
        WorkerError: the workers could not begin, e.g. for a module that they cannot import.
        ExperimentFailed: it ended without a result; `.result` has what there is.
        Interrupted: Ctrl-C; all is kept, `resume=True` goes on.

    >>> result = lagom(lambda x: (x - 0.5) ** 2, parameters={"x": {"min": 0.0, "max": 1.0}}, trials=8, seed=1, progress=False)
    >>> result.counts["COMPLETED"]
    8
    """
    inside = _trial.current_trial()
    if inside is not None:
        raise errors.ConfigError(f"lagom was called inside trial {inside.number} of '{inside.experiment}': call it outside of "
                                 "the training function, or search inside by prova.Search, which needs no driver")
    chosen = as_config(config, options)
    handle = Handle(chosen)
    sweep = handle.sweep()
    generators = {kind: value for kind, value in (("model", chosen.model), ("dataset", chosen.dataset))
                  if value is not None}
    signature = _trial.Signature.read(train_fn, list(sweep["parameters"]), list(generators))
    binding = _trial.Binding(train_fn, signature, generators, sweep["metric"]["name"])
    if os.environ.get("PROVA_ROLE"):
        from . import _worker
        _worker.serve(handle.pointer, binding)
    if os.environ.get("PROVA_TRIAL_DIR") or chosen.start == "fork":
        return _call(handle, chosen, sweep, _trial.callback(binding))
    with _payload(sweep, binding) as folder:
        _use_worker(handle, [sys.executable, "-c", _START_WORKER, _PARENT, os.path.join(folder, "payload")])
        return _call(handle, chosen, sweep, _NO_TRAIN, folder)


# This package may have been found on a sys.path that a fresh process does not have.
_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_START_WORKER = "import sys; sys.path.insert(0, sys.argv[1]); from prova._worker import main; main(sys.argv[2])"


def _refuse(_handle: int, _arg: object) -> int:
    return 1  # libprova asks for a function also where another process has it


_NO_TRAIN = _ffi.TRAIN_FN(_refuse)


def _use_worker(handle: Handle, words: List[str]) -> None:
    array = (c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)
    _ffi.check(_lib.prova_config_worker(handle.pointer, array))


def _dump(what: str, value: Any) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        raise errors.ProvaError("prova.lagom sends the training function to fresh processes with cloudpickle, which is "
                                "not installed: `pip install cloudpickle` (Debian: python3-cloudpickle), or use "
                                "start='fork'") from None
    try:
        return bytes(cloudpickle.dumps(value, protocol=PICKLE_PROTOCOL))
    except Exception as error:
        raise errors.PicklingError(
            f"{what} cannot be sent to fresh processes: {type(error).__name__}: {error}. Make what it cannot carry "
            "(open files, locks, connections) inside the function, or use start='fork'") from error


def _search_path(function: Callable[..., Any]) -> List[str]:
    """Where a fresh process has to look for modules: as here, and where the function's own module was found, which a
    relative entry of sys.path does not say once the directory was changed."""
    path = [os.path.abspath(entry) for entry in sys.path]
    top = sys.modules.get(str(getattr(function, "__module__", "")).partition(".")[0])
    place = getattr(top, "__file__", None)
    if place:
        folder = os.path.dirname(os.path.abspath(place))
        if hasattr(top, "__path__"):
            folder = os.path.dirname(folder)
        if folder not in path:
            path.append(folder)
    return path


@contextlib.contextmanager
def _payload(sweep: Mapping[str, Any], binding: _trial.Binding) -> Iterator[str]:
    """A folder with what a fresh process needs, for as long as the experiment runs."""
    import shutil
    import tempfile
    function = _dump("the training function", binding.function)
    generators = _dump("the model or dataset", binding.generators)
    main = sys.modules.get("__main__")
    surroundings = {"path": _search_path(binding.function), "main": getattr(main, "__file__", None),
                    "sweep": json.dumps(sweep), "metric": binding.metric, "signature": binding.signature}
    folder = tempfile.mkdtemp(prefix="prova-py-")
    try:
        with open(os.path.join(folder, "payload"), "wb") as file:
            for part in (surroundings, function, generators):
                pickle.dump(part, file, protocol=PICKLE_PROTOCOL)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _call(handle: Handle, config: Config, sweep: Mapping[str, Any], train: Any, folder: Optional[str] = None) -> Result:
    from . import display
    show = display.choose(config, sweep)
    progress = None
    if show is not None:
        progress = _ffi.PROGRESS_FN(show.callback)
        _lib.prova_config_progress(handle.pointer, progress, None, show.interval_ms)
    elif not config.progress:
        _lib.prova_config_progress(handle.pointer, None, None, 0)
    # A process that forks must hold the interpreter's lock meanwhile, or another thread may hold it in the child.
    call = _lib.prova_lagom if config.start == "fresh" else _ffi.holding_the_lock("prova_lagom")
    sys.stdout.flush()
    sys.stderr.flush()
    pointer = call(train, None, handle.pointer)
    if not pointer:
        raise MemoryError("prova_lagom")
    try:
        result = Result._read(pointer, config, sweep["metric"])
        code, message = _lib.prova_result_code(pointer), _ffi.text(_lib.prova_result_error(pointer))
    finally:
        _lib.prova_result_free(pointer)
    if show is not None:
        show.finish(result)
        show.reraise()
    if code:
        _raise(code, message, result, folder)
    return result


def _raise(code: int, message: str, result: Result, folder: Optional[str]) -> None:
    words = _worker_words(folder)
    if words:
        raise errors.WorkerError(words)
    if code == errors.Interrupted.code:
        message = message.replace("the same call with prova_config_resume goes on", "the same call with resume=True goes on")
    if code == errors.ExperimentFailed.code:
        message += _first_failure(result)
    error = errors.from_code(code, message)
    if isinstance(error, errors.ExperimentFailed):
        error.result = result
    raise error


def _first_failure(result: Result) -> str:
    with contextlib.suppress(errors.ProvaError):
        for trial in result.trials:
            if trial.state == "FAILED":
                return f"; trial {trial.number} failed: {trial.text}"
    return ""


def _worker_words(folder: Optional[str]) -> str:
    """What a worker process that could not begin has left."""
    try:
        with open(os.path.join(folder or "", "error"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""

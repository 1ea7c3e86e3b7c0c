"""A trial, seen from the training function; and the one callback through which libprova runs it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Mapping

from . import _check, _ffi
from .errors import ConfigError, EarlyStop, ExistsError, ProvaError

TYPE_CHECKING = False  # what a worker imports, its first trial waits for
if TYPE_CHECKING:
    import inspect
    from typing import Any, Callable, Dict, List, Optional, Tuple

    from ._distributed import Gang

_lib = _ffi.library
# With the interpreter's lock held, so that no thread is inside of them when a trial ends. They do not wait for Python.
_report = _ffi.holding_the_lock("prova_report")
_report_metric = _ffi.holding_the_lock("prova_report_metric")

_current: Optional["Trial"] = None
_strangers: frozenset[object] = frozenset()  # threads that an earlier trial has left behind: theirs is no trial
_forked_from = os.getpid()


class Trial:
    """One trial, while its training function runs. Never made by users.

    Attributes:
        params: The parameters that are active, by name.
        number: Its number in the experiment, from 1.
        attempt: Which attempt at it this is, from 1.
        seed: A seed below 2**31, a function of the experiment's seed and the trial's number alone. `random`, NumPy
            and PyTorch are seeded with it before the function is called.
        rank: This process's place among those that run the trial together, from 0.
        world: How many they are: 1 but in a distributed trial.

    >>> import prova
    >>> result = prova.lagom(lambda trial: trial.number * trial.params["x"], name="numbered", trials=1, progress=False,
    ...                      parameters={"x": prova.constant(2)})
    >>> result.best_value
    2.0
    """

    def __init__(self, handle: int) -> None:
        self._handle: Optional[int] = handle
        self.params: Dict[str, Any] = json.loads(_ffi.text(_lib.prova_params_json(handle)) or "{}")
        self.number: int = _lib.prova_trial_number(handle)
        self.attempt: int = _lib.prova_trial_attempt(handle)
        self.seed: int = _lib.prova_trial_seed(handle)
        self._last_step = -1
        self.rank: int = 0
        self.world: int = _lib.prova_world(handle)
        self._gang: Optional[Gang] = None
        if self.world > 1:
            from . import _distributed
            self._gang = _distributed.Gang(handle, self.seed)
            self.rank = self._gang.rank

    def _live(self) -> int:
        """The library's trial, which ends when the training function does."""
        if self._handle is None:
            raise ExistsError(f"trial {self.number} has ended: threads that report must be joined before the training "
                              "function returns")
        return self._handle

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return _ffi.text(_lib.prova_trial_experiment(self._live()))

    @property
    def experiment_id(self) -> str:
        """Id of the experiment (UUID)."""
        return _ffi.text(_lib.prova_trial_experiment_id(self._live()))

    @property
    def directory(self) -> str:
        """A directory of this trial alone, kept over its attempts: for checkpoints and output. Made when asked for.

        Raises:
            OSError: it cannot be made.
        """
        path = _ffi.text(_lib.prova_directory(self._live()))
        if not path:
            raise OSError("the trial's directory cannot be made")
        return path

    @property
    def ablated_list(self) -> List[str]:
        """What this trial leaves out, e.g. `["feature:age", "layer:conv2"]`; empty but in an ablation study."""
        listed = _ffi.text(_lib.prova_ablated_list(self._live()))
        return listed.split(",") if listed else []

    def ablated(self, kind: str, name: str) -> bool:
        """Whether this trial leaves a component out.

        Args:
            kind: "feature", "layer", "module", "parameter", "group" or "variant".
            name: Its name.
        """
        return f"{kind}:{name}" in self.ablated_list

    def budget(self, otherwise: int) -> int:
        """How many resource units (usually epochs) the trial may use in all; `otherwise` where nobody limits it."""
        return int(_lib.prova_budget(self._live(), _check.whole(otherwise, "budget's argument", 0, _check.MAX_STEP)))

    @property
    def done(self) -> int:
        """Units that earlier attempts of a paused trial have used: go on from a checkpoint in `directory`."""
        return int(_lib.prova_done(self._live()))

    @property
    def stopped(self) -> bool:
        """Whether the trial is asked to stop."""
        handle = self._live()
        return bool(_lib.prova_stopped(handle)) if self._gang is None else self._gang.stops

    def _stop(self, step: int) -> None:
        """Ends a trial that is asked to stop; of a gang's, when its ranks have agreed."""
        if self._gang is None or self._gang.stops:
            raise EarlyStop(f"trial {self.number} is asked to stop at step {step}")

    def report(self, step: Optional[int], value: float, **metrics: float) -> None:
        """Reports the objective at a step, and any other metrics. See `prova.report`."""
        step = self._last_step + 1 if step is None else _check.step(step)
        numbers = {name: _check.number(other, f"metric '{name}'") for name, other in metrics.items()}
        value, handle, stop = _check.number(value, "what is reported"), self._live(), 0
        for name, other in numbers.items():
            stop |= _report_metric(handle, step, name.encode("utf-8", "replace"), other)
        stop |= _report(handle, step, value)
        self._last_step = step
        if stop or self._gang is not None:
            self._stop(step)


class Reporter:
    """What a training function gets as its argument `reporter`; Maggy's interface. Never made by users.

    >>> import prova
    >>> def train(x, reporter):
    ...     for epoch in range(3):
    ...         reporter.broadcast(x / (epoch + 1))
    >>> result = prova.lagom(train, name="told", parameters={"x": prova.double(0, 1)}, trials=1, progress=False)
    >>> result.trials[0].curve()[0]
    [0, 1, 2]
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def broadcast(self, metric: float, step: Optional[int] = None) -> None:
        """Reports the objective; without a step, the one after the last.

        Raises:
            EarlyStop: the trial is asked to stop. Let it pass.
        """
        self._trial.report(step, metric)

    def log(self, text: object, jupyter: bool = False) -> None:
        """Prints to the trial's log."""
        del jupyter
        print(text, flush=True)


def report(step: Optional[int], value: float, **metrics: float) -> None:
    """Reports the objective of the running trial, and any other metrics by name.

    Outside a trial it does nothing, so that the same code also runs by itself.

    Args:
        step: 0 to 2**53, growing, usually the epoch; None: the one after the last. One that does not grow is kept, and no
            rule looks at it; a second one for the same step is ignored.
        value: The objective at that step: any number, also of NumPy or a tensor of one element. With one that is not finite
            the trial has diverged: it is stopped, and has failed unless it still returns a finite value.
        **metrics: Other metrics at that step, kept with it.

    Raises:
        EarlyStop: the trial is asked to stop. Let it pass.
        ConfigError: the step is no whole number, or the value no number.

    >>> report(0, 0.5, train_loss=0.7)
    """
    trial = _current
    if trial is None or (_strangers and _is_stranger()):
        return
    if metrics or step is None:
        trial.report(step, value, **metrics)
        return
    handle = trial._handle
    if handle is None:  # it has ended meanwhile, on another thread
        return
    try:
        if step > _check.MAX_STEP:
            raise OverflowError
        stop = _report(handle, step, value)
    except Exception:  # an integer or a number of a library, which ctypes does not take; or no number at all
        trial.report(step, value)
        return
    trial._last_step = step
    if stop or trial._gang is not None:
        trial._stop(step)


def _threads() -> frozenset[object]:
    """Those that run beside this one."""
    threading = sys.modules.get("threading")
    if threading is None or threading.active_count() == 1:
        return frozenset()
    return frozenset(threading.enumerate()) - {threading.current_thread()}


def _is_stranger() -> bool:
    import threading
    return threading.current_thread() in _strangers


def current_trial() -> Optional[Trial]:
    """The trial that runs in this process; None outside of one.

    >>> current_trial() is None
    True
    """
    return _current


# Names that a training function may ask for beside the parameters of the space.
SPECIAL = ("hparams", "reporter", "trial", "budget", "model", "dataset", "train_set", "test_set", "model_function",
           "dataset_function", "module")


class Signature:
    """Which of a training function's arguments are parameters, and which are things of ours.

    Attributes:
        names: Those that are given by name.
        positional: Those that can only be given by their place.
        required: Those of `names` that have no default of their own.
        takes_rest: Whether it takes `**kwargs`.
    """

    def __init__(self) -> None:
        self.names: List[str] = []
        self.positional: List[str] = []
        self.required: List[str] = []
        self.takes_rest = False

    @classmethod
    def read(cls, function: Callable[..., Any], parameters: List[str], generators: List[str]) -> "Signature":
        """That of this function.

        Raises:
            ConfigError: it is no function, or asks for something that is neither.
        """
        import inspect
        if not callable(function):
            raise ConfigError(f"the training function must be callable, not {_check.short(function)}")
        signature = cls()
        try:
            arguments = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # a function of C that does not tell
            signature.takes_rest = True
            return signature
        for argument in arguments:
            is_known = argument.name in parameters or _is_special(argument.name, generators)
            signature._take(argument, is_known)
            if argument.default is argument.empty and not is_known and argument.kind not in (argument.VAR_KEYWORD,
                                                                                             argument.VAR_POSITIONAL):
                raise ConfigError(_unknown(argument.name, parameters))
        return signature

    def _take(self, argument: inspect.Parameter, is_known: bool) -> None:
        if argument.kind is argument.VAR_KEYWORD:
            self.takes_rest = True
        elif argument.kind is argument.VAR_POSITIONAL or not is_known:
            return
        elif argument.kind is argument.POSITIONAL_ONLY:
            self.positional.append(argument.name)
        else:
            self.names.append(argument.name)
            if argument.default is argument.empty:
                self.required.append(argument.name)


def _is_special(name: str, generators: List[str]) -> bool:
    return name in ("hparams", "reporter", "trial", "budget") or _kind_of(name) in generators


def _unknown(name: str, parameters: List[str]) -> str:
    import difflib
    what = f"the training function asks for '{name}', "
    if name in SPECIAL:
        kind = _kind_of(name)
        return what + f"but no {kind} generator is set: give lagom a `{kind}=` function that makes it"
    near = difflib.get_close_matches(name, [*parameters, *SPECIAL], 1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return what + f"which is no parameter of the search space and none of {', '.join(SPECIAL[:4])}{hint}"


class Binding:
    """How a training function is called."""

    def __init__(self, function: Callable[..., Any], signature: Signature, generators: Mapping[str, Any],
                 metric: str) -> None:
        self.function = function
        self.signature = signature
        self.generators = dict(generators)
        self.metric = metric

    def _things(self, trial: Trial) -> Dict[str, Any]:
        """All that may be asked for by name. Generators are called only for what is asked."""
        wanted = {*self.signature.names, *self.signature.positional}
        things: Dict[str, Any] = {"budget": trial.budget(0) or None, **trial.params}
        things.update(hparams=dict(trial.params), reporter=Reporter(trial), trial=trial)
        for kind in self.generators:
            things[kind + "_function"] = functools.partial(self._make, kind, trial)
            if any(_kind_of(name) == kind and name != "module" and not name.endswith("_function") for name in wanted):
                is_class = getattr(self.generators[kind], "is_handed_on", False)
                things[kind] = things[kind + "_function"] if is_class else self._make(kind, trial)
        if "model" in self.generators:
            things.setdefault("module", things["model_function"])
        if "train_set" in wanted or "test_set" in wanted:
            try:
                things["train_set"], things["test_set"] = things["dataset"]
            except (TypeError, ValueError):
                raise ConfigError("the training function asks for 'train_set' and 'test_set': the dataset must be a pair "
                                  f"of them, not a {type(things['dataset']).__name__}") from None
        return things

    def _make(self, kind: str, trial: Trial, *arguments: Any, **named: Any) -> Any:
        """What a generator makes, without what the trial leaves out."""
        def generate() -> Any:
            return self._generated(kind, trial, arguments, named)

        return trial._gang.make(kind, generate) if trial._gang is not None else generate()

    def _generated(self, kind: str, trial: Trial, arguments: Any, named: Dict[str, Any]) -> Any:
        from . import ablation
        generator, ablated = self.generators[kind], trial.ablated_list
        if isinstance(generator, (ablation.StudyModel, ablation.ModelClass)):
            generator = generator.choose(ablated)
        made, knows = _generate(generator, trial, ablated, arguments, named)
        features = ablation.names_of(ablated, "feature")
        layers = ablation.names_of(ablated, "layer", "module")
        if kind == "dataset" and features and not knows:
            made = ablation.drop_features(made, features)
        if kind == "model" and layers and not knows:
            made = ablation.drop_layers(made, layers)
        return made

    def call(self, trial: Trial) -> Any:
        """Calls the function. An argument whose parameter is not active gets its default, or None."""
        things = self._things(trial)
        asked = self.signature
        positional = [things.get(name) for name in asked.positional]
        named = {name: things[name] for name in asked.names if name in things}
        if asked.takes_rest:
            named.update({name: value for name, value in trial.params.items() if name not in asked.positional})
        named.update({name: None for name in asked.required if name not in named})
        return self.function(*positional, **named)


def _kind_of(name: str) -> str:
    """Which generator an argument of this name needs."""
    if name == "module":  # Maggy's name of the class that makes the model
        return "model"
    return name[:-len("_function")] if name.endswith("_function") else "dataset" if name.endswith("_set") else name


def _is_model(generator: Any) -> bool:
    """Whether it is a model itself, of PyTorch or Keras, which can be called too."""
    return not isinstance(generator, type) and (hasattr(generator, "named_modules") or
                                                (hasattr(generator, "layers") and hasattr(generator, "get_config")))


def _generate(generator: Any, trial: Trial, ablated: List[str], arguments: Any, named: Dict[str, Any]) -> Tuple[Any, bool]:
    """Calls a generator with what it names; also, whether it has asked what is left out. What is no function is the
    thing itself, of a model each trial gets a copy."""
    if not callable(generator):
        return generator, False
    if _is_model(generator):
        import copy
        return copy.deepcopy(generator), False
    import inspect
    try:
        known_names = inspect.signature(generator).parameters
    except (TypeError, ValueError):
        return generator(*arguments, **named), False
    known = {**trial.params, "hparams": dict(trial.params), "trial": trial, "ablated": ablated}
    if any(a.kind is a.VAR_KEYWORD for a in known_names.values()):
        given = dict(trial.params)
    else:
        given = {}
    free = [name for i, name in enumerate(known_names) if i >= len(arguments)]
    given.update({name: known[name] for name in free if name in known})
    return generator(*arguments, **{**given, **named}), "ablated" in known_names


def _seed(seed: int) -> None:
    """Seeds what the function may draw from, so that a trial can be repeated; nothing is loaded for it."""
    import random
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
    keras: Any = sys.modules.get("keras")
    if hasattr(keras, "utils"):
        keras.utils.set_random_seed(seed)


def _finish(trial: Trial, metric: str, value: Any) -> None:
    """What the function has returned becomes the trial's value."""
    if value is None:
        if trial._last_step < 0 and trial.rank == 0:
            raise ProvaError(f"the training function ended without a value of '{metric}': it must return one, or report "
                             "it by prova.report(step, value)")
        return
    if isinstance(value, Mapping):
        if metric not in value:
            raise ProvaError(f"the training function returned a dict without '{metric}', the metric of this "
                             f"experiment; it has: {', '.join(map(str, value)) or 'nothing'}")
        step = max(trial._last_step, 0)
        for name, other in value.items():
            if name != metric:
                number = _check.number(other, f"metric '{name}'")
                _report_metric(trial._live(), step, str(name).encode("utf-8", "replace"), number)
        value = _check.number(value[metric], f"metric '{metric}'")
    else:
        value = _check.number(value, "what a training function returns (or a dict of metrics, or nothing)")
    _lib.prova_finish(trial._live(), value)


def _describe(error: BaseException) -> bytes:
    """One line: what, and where in the user's code."""
    import traceback
    if isinstance(error, SystemExit):
        what = f"the training function called sys.exit({error.code!r})"
    else:
        what = type(error).__name__
        try:
            what += f": {error}" if str(error) else ""
        except Exception:
            what += " (whose message cannot be had)"
    frames = traceback.extract_tb(error.__traceback__)
    here = os.path.dirname(os.path.abspath(__file__))
    mine = [frame for frame in frames if not frame.filename.startswith(here)]
    if mine:
        what += f" ({os.path.basename(mine[-1].filename)}:{mine[-1].lineno} in {mine[-1].name})"
    return what.replace("\0", " ").encode("utf-8", "replace")


def _fail(handle: int, error: BaseException) -> int:
    import traceback
    try:
        traceback.print_exception(type(error), error, error.__traceback__)
    except Exception:  # stderr is closed
        pass
    return int(_lib.prova_fail(handle, b"%s", _describe(error)))


def _value(binding: Binding, trial: Trial) -> Any:
    _seed(trial.seed)
    return binding.call(trial)


def _outcome(binding: Binding, trial: Trial, handle: int) -> int:
    """Calls the function and hands over what came of it; its frames, and what only they hold, are gone afterwards."""
    try:
        _finish(trial, binding.metric, _value(binding, trial))
        return 0
    except EarlyStop:
        return 0
    except BaseException as error:  # whatever it is, it must not pass into C
        return _fail(handle, error)


def _run(binding: Binding, handle: int) -> int:
    global _current, _strangers
    trial = Trial(handle)
    _strangers = _threads()
    _current = trial
    gang = trial._gang
    try:
        with gang.running("model" in binding.generators) if gang else contextlib.nullcontext():
            return _outcome(binding, trial, handle)
    except BaseException as error:  # of the gang's making or end
        return _fail(handle, error)
    finally:
        _current = trial._handle = None


def _be_no_worker() -> None:
    """What made this process a worker is not for the programs that a training function starts."""
    if os.environ.pop("PROVA_ROLE", None):
        os.environ.pop("PROVA_DRIVER", None)
        os.environ.pop("PROVA_EXPERIMENT", None)


def _flush() -> None:
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (AttributeError, ValueError, OSError):  # the function has closed it
            pass


def callback(binding: Binding) -> Any:
    """The C function that runs a trial of this binding. Keep it alive while libprova may call it."""

    def run(handle: int, _arg: object) -> int:
        global _forked_from
        try:
            if os.getpid() != _forked_from:
                _forked_from = os.getpid()
                _ffi.after_fork()
                _be_no_worker()
            try:
                return _run(binding, handle)
            finally:
                _flush()
        except BaseException as error:
            return int(_lib.prova_fail(handle, b"%s", _describe(error)))

    return _ffi.TRAIN_FN(run)

"""What an experiment is: `Config`, and Maggy's configuration classes, which become one.

A `Config` is a sweep file as a Python object. Its fields have the file's names and meaning (docs/sweep-file.md);
whatever has no field of its own goes into `settings`, by its dotted path.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from . import _check, _ffi
from .errors import ConfigError

PlugIn = Union[str, Mapping[str, Any]]


def _plain(value: Any) -> Any:
    """A value as JSON has it; numbers of NumPy become Python's."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise ConfigError(f"{_check.short(value)} cannot stand in a configuration: use numbers, strings, "
                      "lists and dicts")


def to_yaml(value: Any) -> str:
    """A value as the sweep file has it: JSON, which is YAML."""
    try:
        return json.dumps(_plain(value), allow_nan=False)
    except ValueError:
        raise ConfigError(f"{_check.short(value)} has a number that is not finite") from None


def _space(parameters: Any) -> Mapping[str, Any]:
    for name, parameter in _check.mapping(parameters, "parameters").items():
        if not isinstance(parameter, Mapping):
            raise ConfigError(f"parameter '{name}' is {_check.short(parameter)}: it must be what prova.double, prova.int, "
                              "prova.discrete, prova.categorical or prova.constant makes, or a dict as in a sweep file")
    return dict(parameters)


@_check.explained
@dataclasses.dataclass
class Config:
    """An experiment.

    Attributes:
        name: Its name; letters, digits, `-`, `_` and `.`.
        parameters: The search space: names with what `prova.double`, `prova.int`, ... make, or dicts as in a sweep
            file, or a `Searchspace`.
        sweep: A sweep file to begin with; what is set here stands above it.
        metric: Name of the objective.
        goal: "minimize" or "maximize".
        search: Where to sample: a name, or a dict of the name and its options, e.g.
            `{"name": "tpe", "startup": 20}`. `prova search` lists all.
        schedule: How long to run, e.g. `{"name": "asha", "min_budget": 1, "max_budget": 27}`.
        stopping: A rule that ends poor trials early, e.g. "median".
        trials: How many in all.
        hours: Ends after so long.
        target: Ends when a trial reaches this value.
        workers: How many trials run at one time.
        retries: How often a trial is repeated whose process has died.
        seed: Of the search; the same seed and one worker give the same trials.
        context: "optimization", "ablation", "distributed" or "single".
        settings: Anything else of a sweep file by its dotted path, e.g. `{"limits.failures": 50}`.
        database: The SQLite file that keeps all results; "prova.db" unless it or $PROVA_DB says otherwise.
        driver: A running driver to use, e.g. "tcp://10.0.0.1:5700", instead of one of its own.
        wait: Give up after so many seconds without that driver, whose restarts are waited for (default: 300; 0: never).
        resume: Go on with the newest unfinished experiment of that name, if there is one.
        start: How local workers are made: "fresh" Python processes (the function travels by cloudpickle), or "fork" of
            this one (nothing is pickled; not for a notebook or a process with threads).
        progress: True shows progress (in a notebook as a display that updates in place, else on stderr), False
            shows none, and a function is called with a `prova.display.Progress` about twice a second and at each change;
            it returns True to stop the experiment.
        logs: Also print what trials print, each line with its trial's number.
        model: A function that makes what training functions ask for as `model`; called once in each trial that asks,
            with those parameters it names.
        dataset: Likewise `dataset`.

    >>> config = Config(name="demo", parameters={"x": {"min": 0.0, "max": 1.0}}, trials=20)
    >>> config.replace(trials=50).trials
    50
    """

    name: Optional[str] = None
    parameters: Optional[Mapping[str, Any]] = None
    sweep: Optional[Union[str, "os.PathLike[str]"]] = None
    metric: Optional[str] = None
    goal: Optional[str] = None
    search: Optional[PlugIn] = None
    schedule: Optional[PlugIn] = None
    stopping: Optional[PlugIn] = None
    trials: Optional[int] = None
    hours: Optional[float] = None
    target: Optional[float] = None
    workers: Optional[int] = None
    retries: Optional[int] = None
    seed: Optional[int] = None
    context: Optional[str] = None
    settings: Dict[str, Any] = dataclasses.field(default_factory=dict)
    database: Optional[Union[str, "os.PathLike[str]"]] = None
    driver: Optional[str] = None
    wait: Optional[float] = None
    resume: bool = False
    start: str = "fresh"
    progress: Union[bool, Callable[[Any], Optional[bool]]] = True
    logs: bool = False
    model: Optional[Any] = None
    dataset: Optional[Any] = None

    def replace(self, **changes: Any) -> "Config":
        """A copy with some fields changed.

        Raises:
            ConfigError: there is no such field.
        """
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(f"a configuration has no '{name}'{_check.hint(name, known)}")
        return dataclasses.replace(self, **changes)

    def check(self) -> None:
        """Raises what is wrong with those fields that are not of a sweep file, which libprova knows.

        Raises:
            ConfigError: with the field's name.
        """
        if self.start not in ("fresh", "fork"):
            raise ConfigError(f"start is {_check.short(self.start)}: it must be 'fresh' or 'fork'")
        if self.name is not None:
            _check.text(self.name, "name")
        _check.flag(self.resume, "resume")
        _check.flag(self.logs, "logs")
        if not callable(self.progress):
            _check.flag(self.progress, "progress (which may be a function too)")

    def to_settings(self) -> List[Tuple[str, str]]:
        """The dotted paths and YAML values that libprova is told, in order."""
        out: List[Tuple[str, str]] = []

        def add(path: str, value: Any) -> None:
            if value is not None:
                out.append((path, to_yaml(value)))

        add("metric.name", self.metric if self.metric is None else _check.text(self.metric, "metric"))
        add("metric.goal", self.goal if self.goal is None else _check.goal(self.goal))
        add("parameters", self.parameters and _space(self.parameters))
        for kind in ("search", "schedule", "stopping"):
            value = getattr(self, kind)
            if value is not None:
                value = _check.plug_in(value, kind)
                add(kind + ".name" if isinstance(value, str) else kind, value)
        for path, value in (("limits.trials", self.trials), ("limits.hours", self.hours),
                            ("limits.target", self.target), ("workers", self.workers), ("retries", self.retries),
                            ("seed", self.seed),
                            ("context", self.context if self.context is None else _check.plug_in(self.context, "context"))):
            add(path, value)
        for path, value in _check.mapping(self.settings, "settings").items():
            add(path, value)
        return out

    def to_document(self) -> Dict[str, Any]:
        """The same as one document in the form of a sweep file, without that of `sweep`.

        >>> Config(name="d", metric="loss", settings={"limits.failures": 3}).to_document()
        {'name': 'd', 'metric': {'name': 'loss'}, 'limits': {'failures': 3}}
        """
        document: Dict[str, Any] = {"name": self.name} if self.name else {}
        for path, value in self.to_settings():
            place = document
            *folders, last = path.split(".")
            for folder in folders:
                place = place.setdefault(folder, {})
            place[last] = json.loads(value)
        return document

    def database_path(self) -> str:
        """Where results are kept."""
        if self.database is not None:
            return _check.path(self.database, "database")
        return os.environ.get("PROVA_DB") or "prova.db"


class Handle:
    """A `prova_config` of the library, made from a `Config`.

    Raises:
        ConfigError: with all that is wrong with it.
    """

    def __init__(self, config: Config) -> None:
        lib = _ffi.library
        config.check()
        if config.sweep is None:
            document = {"name": "experiment", **config.to_document()}
            self.pointer = lib.prova_config_text(to_yaml(document).encode())
        else:
            self.pointer = lib.prova_config_file(_check.path(config.sweep, "sweep").encode())
        if not self.pointer:
            raise MemoryError("prova_config")
        if config.sweep is not None:
            for path, value in [("name", to_yaml(config.name))] * bool(config.name) + config.to_settings():
                lib.prova_config_set(self.pointer, path.encode(), value.encode())
        lib.prova_config_database(self.pointer, config.database_path().encode())
        if config.driver is not None:
            lib.prova_config_driver(self.pointer, _check.text(config.driver, "driver").encode())
        if config.wait is not None:
            lib.prova_config_wait(self.pointer, math.ceil(_check.seconds(config.wait, "wait", 0, 1e9)))
        lib.prova_config_resume(self.pointer, int(bool(config.resume)))
        self.check()

    def sweep(self) -> Dict[str, Any]:
        """The whole as libprova understands it: a sweep file, with every default written out."""
        document = _ffi.library.prova_config_json(self.pointer)
        self.check()
        sweep: Dict[str, Any] = json.loads(document)
        return sweep

    def check(self) -> None:
        """Raises what is wrong with it."""
        message = _ffi.text(_ffi.library.prova_config_error(self.pointer))
        if message:
            raise ConfigError(message)

    def __del__(self) -> None:
        pointer, self.pointer = getattr(self, "pointer", None), None
        if pointer:
            _ffi.library.prova_config_free(pointer)


def as_config(config: Any, options: Mapping[str, Any]) -> Config:
    """The `Config` of whatever `lagom` was given.

    Raises:
        ConfigError: it is nothing that has a configuration, or an option is unknown.
    """
    if config is None:
        config = Config()
    elif isinstance(config, (str, os.PathLike)):
        config = Config(sweep=config)
    elif isinstance(config, MaggyConfig):
        config = config.to_config()
    elif isinstance(config, Mapping):
        config = from_mapping(config)
    if not isinstance(config, Config):
        raise ConfigError(f"the configuration must be a prova.Config, a dict, the path of a sweep file or one of "
                          f"Maggy's configurations, not {type(config).__name__}")
    return config.replace(**options)


def from_mapping(sweep: Mapping[str, Any]) -> Config:
    """A `Config` of a dict in the form of a sweep file.

    >>> from_mapping({"name": "demo", "metric": {"name": "loss"}, "limits": {"trials": 9}}).trials
    9
    """
    rest = dict(sweep)
    config = Config()
    metric = rest.pop("metric", None)
    if isinstance(metric, Mapping):
        metric = dict(metric)
        config = config.replace(metric=metric.pop("name", None), goal=metric.pop("goal", None))
        config.settings.update({f"metric.{k}": v for k, v in metric.items()})
    elif metric is not None:
        config.metric = metric
    limits = rest.pop("limits", None)
    if isinstance(limits, Mapping):
        limits = dict(limits)
        for key in ("trials", "hours", "target"):
            if key in limits:
                setattr(config, key, limits.pop(key))
        config.settings.update({f"limits.{k}": v for k, v in limits.items()})
    known = {field.name for field in dataclasses.fields(Config)} - {"settings", "sweep"}
    for key, value in rest.items():
        if key in known:
            setattr(config, key, value)
        else:
            config.settings[key] = value
    return config


# Maggy's configurations


class MaggyConfig:
    """The base of Maggy's configuration classes. `hb_interval` and `description` are accepted and not needed."""

    def __init__(self, name: str, description: str = "", hb_interval: float = 1) -> None:
        self.name = _check.text(name, "name")
        self.description = description
        self.hb_interval = hb_interval

    def to_config(self) -> Config:
        """The `Config` that it stands for."""
        raise NotImplementedError


@_check.explained
class BaseConfig(MaggyConfig):
    """One run of the training function: Maggy's class of that name.

    Args:
        name: Of the experiment.
        hb_interval: Accepted, not needed.
        description: Kept with it.
        hparams: Parameters of the run.
        model: What the training function asks for as `model`.
        dataset: What it asks for as `dataset`.

    Raises:
        ConfigError: hparams is no dict, or the name no text.

    >>> BaseConfig(hparams={"lr": 0.1}).to_config().context
    'single'
    """

    def __init__(self, name: str = "base", hb_interval: float = 1, description: str = "", *,
                 hparams: Optional[Mapping[str, Any]] = None, model: Any = None, dataset: Any = None) -> None:
        super().__init__(name, description, hb_interval)
        self.hparams = _check.mapping(hparams or {}, "hparams")
        self.model = model
        self.dataset = dataset

    def to_config(self) -> Config:
        return Config(name=_name(self.name), context="single", goal="maximize", metric="metric",
                      parameters={name: {"value": value} for name, value in self.hparams.items()},
                      model=self.model, dataset=self.dataset)


# Maggy's names of searches.
_OPTIMIZERS = {"randomsearch": "random", "gridsearch": "grid", "none": "random", "faulty_none": "random"}


def _optimizer(name: str) -> Any:
    """What one of Maggy's names, or a search's name, stands for."""
    from . import optimizer
    if name.lower() == "asha":
        return optimizer.Asha()
    return optimizer.Optimizer(_OPTIMIZERS.get(name.lower(), name))


def _handed_on(model: Any) -> Any:
    """A model class is the training function's `model` itself; what a function makes is it otherwise."""
    from . import ablation
    return ablation.ModelClass(model) if isinstance(model, type) else model


def _sets(dataset: Any, train_set: Any, test_set: Any) -> Any:
    """The dataset that a training and a test set are, where they are given."""
    return dataset if train_set is None and test_set is None else (train_set, test_set)


def _name(name: str) -> str:
    """A name that an experiment may have."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name) or "experiment"


@_check.explained
class HyperparameterOptConfig(MaggyConfig):
    """A hyperparameter search: Maggy's class of that name.

    Args:
        num_trials: How many trials.
        optimizer: "randomsearch", "gridsearch", "asha", "tpe", "gp", or the name of any search of prova.
        searchspace: The search space.
        optimization_key: Name of the metric.
        direction: "max" or "min".
        es_interval: Accepted, not needed: every report is seen at once.
        es_min: Trials that must have ended before one is stopped.
        es_policy: "median", "none", or the name of any stopping rule of prova.
        name: Of the experiment.
        description: Kept with it.
        hb_interval: Accepted, not needed.
        model: What the training function asks for as `model`.
        dataset: What it asks for as `dataset`.
        workers: How many trials run at one time.
        train_set: With `test_set`, a dataset in two parts.
        test_set: Its other part.

    Raises:
        ConfigError: an argument makes no sense. The rest is looked at by `lagom`.

    >>> from prova import Searchspace
    >>> HyperparameterOptConfig(15, "randomsearch", Searchspace(x=("DOUBLE", [0, 1]))).to_config().trials
    15
    """

    def __init__(self, num_trials: int, optimizer: Any, searchspace: Any, optimization_key: str = "metric",
                 direction: str = "max", es_interval: int = 1, es_min: int = 10, es_policy: Any = "median",
                 name: str = "HPOptimization", description: str = "", hb_interval: float = 1, model: Any = None,
                 dataset: Any = None, *, workers: int = 1, train_set: Any = None, test_set: Any = None) -> None:
        super().__init__(name, description, hb_interval)
        _check.whole(num_trials, "num_trials", 1, 2 ** 53)
        self.num_trials = num_trials
        self.optimizer = optimizer
        self.searchspace = searchspace
        self.optimization_key = optimization_key
        self.direction = _check.direction(direction)
        self.es_interval = es_interval
        self.es_min = es_min
        self.es_policy = es_policy
        self.model = _handed_on(model)
        self.dataset = _sets(dataset, train_set, test_set)
        self.workers = workers

    def to_config(self) -> Config:
        optimizer, policy = self.optimizer, self.es_policy
        plan: Dict[str, Any] = {"search": optimizer}
        if isinstance(optimizer, str):
            optimizer = _optimizer(optimizer)
        if hasattr(optimizer, "plan"):
            plan = dict(optimizer.plan)
        policy = getattr(policy, "policy", policy)
        if isinstance(policy, str) and policy.lower() in ("median", "medianrule"):
            policy = {"name": "median", "min_trials": self.es_min}
        elif policy is None or (isinstance(policy, str) and policy.lower() in ("none", "nostop")):
            policy = "none"
        return Config(name=_name(self.name), parameters=self.searchspace, metric=self.optimization_key,
                      goal=self.direction, trials=self.num_trials, stopping=policy, model=self.model,
                      dataset=self.dataset, workers=self.workers, **plan)


OptimizationConfig = HyperparameterOptConfig


@_check.explained
class DistributedConfig(MaggyConfig):
    """One training run on several workers at once.

    Args:
        workers: On how many.
        module: What makes the model; Maggy's name for `model`, a class or function.
        dataset: What makes the dataset.
        hparams: Parameters of the run.
        runtime: How its workers find each other: "env" (RANK, WORLD_SIZE, MASTER_ADDR, ...; PyTorch, JAX), "tensorflow"
            (TF_CONFIG) or "mpi".
        name: Of the experiment.
        description: Kept with it.
        hb_interval: Accepted, not needed.
        model: What makes the model.
        metric: Name of the objective.
        direction: "max" or "min".
        train_set: With `test_set`, a dataset in two parts.
        test_set: Its other part.

    Raises:
        ConfigError: an argument makes no sense. The rest is looked at by `lagom`.

    >>> DistributedConfig(workers=4).to_config().settings
    {'distributed': {'workers': 4, 'runtime': 'env'}}
    """

    _RUNTIME = "env"

    def __init__(self, workers: int = 2, module: Any = None, dataset: Any = None,
                 hparams: Optional[Mapping[str, Any]] = None, *, runtime: Optional[str] = None, name: str = "distributed",
                 description: str = "", hb_interval: float = 1, model: Any = None, metric: str = "metric",
                 direction: str = "max", train_set: Any = None, test_set: Any = None) -> None:
        super().__init__(name, description, hb_interval)
        _check.whole(workers, "workers", 1, 2 ** 31 - 1)
        self.workers = workers
        self.model = model if model is not None else module
        self.dataset = _sets(dataset, train_set, test_set)
        self.hparams = _check.mapping(hparams or {}, "hparams")
        self.runtime = runtime or self._RUNTIME
        self.metric = metric
        self.direction = _check.direction(direction)

    def to_config(self) -> Config:
        return Config(name=_name(self.name), context="distributed", metric=self.metric, goal=self.direction,
                      parameters={name: {"value": value} for name, value in self.hparams.items()},
                      settings={"distributed": {"workers": self.workers, "runtime": self.runtime}},
                      model=self.model, dataset=self.dataset, workers=self.workers)


@_check.explained
class TorchDistributedConfig(DistributedConfig):
    """Distributed training with PyTorch: Maggy's class of that name.

    Args:
        module: What makes the model, a class or function.
        dataset: What makes the dataset.
        hparams: Parameters of the run.
        backend: "torch"; there is no other.
        mixed_precision: False: it is the training function's own choice.
        zero_lvl: 0, likewise.
        deepspeed_config: None, likewise.
        name: Of the experiment.
        hb_interval: Accepted, not needed.
        description: Kept with it.
        workers: On how many it runs.
        **options: Other arguments of `DistributedConfig`.

    Raises:
        ConfigError: an argument makes no sense. The rest is looked at by `lagom`.

    >>> TorchDistributedConfig(workers=2).to_config().context
    'distributed'
    """

    def __init__(self, module: Any = None, dataset: Any = None, hparams: Optional[Mapping[str, Any]] = None,
                 backend: str = "torch", mixed_precision: bool = False, zero_lvl: int = 0,
                 deepspeed_config: Optional[Mapping[str, Any]] = None, name: str = "torchDist", hb_interval: float = 1,
                 description: str = "", *, workers: int = 2, **options: Any) -> None:
        if backend != "torch" or mixed_precision or zero_lvl or deepspeed_config:
            raise ConfigError("of Maggy's distributed training prova has plain DistributedDataParallel: backend 'torch', "
                              "without mixed_precision, zero_lvl and deepspeed_config, which the training function may use "
                              "by itself")
        super().__init__(workers, module, dataset, hparams, name=name, hb_interval=hb_interval, description=description,
                         **options)


@_check.explained
class TfDistributedConfig(DistributedConfig):
    """Distributed training with TensorFlow: Maggy's class of that name.

    Args:
        model: A class, which is handed to the training function, or a function that makes the model.
        dataset: What makes the dataset.
        process_data: Called with the dataset, returns the one that is used.
        mixed_precision: False: it is the training function's own choice.
        name: Of the experiment.
        hb_interval: Accepted, not needed.
        description: Kept with it.
        hparams: Parameters of the run.
        workers: On how many it runs.
        **options: Other arguments of `DistributedConfig`.

    Raises:
        ConfigError: an argument makes no sense. The rest is looked at by `lagom`.

    >>> TfDistributedConfig(workers=2).runtime
    'tensorflow'
    """

    _RUNTIME = "tensorflow"

    def __init__(self, model: Any = None, dataset: Any = None, process_data: Any = None, mixed_precision: bool = False,
                 name: str = "tfDist", hb_interval: float = 1, description: str = "",
                 hparams: Optional[Mapping[str, Any]] = None, *, workers: int = 2, **options: Any) -> None:
        if mixed_precision:
            raise ConfigError("mixed_precision is the training function's own choice: "
                              "tf.keras.mixed_precision.set_global_policy")
        dataset = _sets(dataset, options.pop("train_set", None), options.pop("test_set", None))
        if process_data is not None:
            raw = dataset

            def dataset() -> Any:
                return process_data(raw() if callable(raw) else raw)

        super().__init__(workers, None, dataset, hparams, name=name, hb_interval=hb_interval, description=description,
                         model=_handed_on(model), **options)


@_check.explained
class AblationConfig(MaggyConfig):
    """An ablation study: Maggy's class of that name.

    Args:
        ablation_study: What is left out: a `prova.ablation.AblationStudy`, or a dict in the form of the `ablation:` section
            of a sweep file (docs/ablation.md).
        ablator: "loco", or another mode of the section.
        direction: "max" or "min".
        name: Of the experiment.
        description: Kept with it.
        hb_interval: Accepted, not needed.
        model: What makes the model; the study's own otherwise.
        dataset: What makes the dataset; the study's own otherwise.
        metric: Name of the objective.
        repeats: How often each variant is run, with another seed.
        hparams: Parameters of all trials.
        workers: How many trials run at one time.

    Raises:
        ConfigError: an argument makes no sense. The rest is looked at by `lagom`.

    >>> AblationConfig({"features": ["age"]}, repeats=5).to_config().settings
    {'ablation': {'features': ['age'], 'repeats': 5}}
    """

    def __init__(self, ablation_study: Any, ablator: str = "loco", direction: str = "max", name: str = "ablationStudy",
                 description: str = "", hb_interval: float = 1, model: Any = None, dataset: Any = None, *,
                 metric: str = "metric", repeats: int = 1, hparams: Optional[Mapping[str, Any]] = None,
                 workers: int = 1) -> None:
        super().__init__(name, description, hb_interval)
        self.ablation_study = ablation_study
        self.ablator = ablator
        self.direction = _check.direction(direction)
        self.model = model
        self.dataset = dataset
        self.metric = metric
        self.repeats = repeats
        self.hparams = _check.mapping(hparams or {}, "hparams")
        self.workers = workers

    def to_config(self) -> Config:
        from . import ablation
        study = self.ablation_study
        model, dataset = self.model, self.dataset
        if isinstance(study, ablation.AblationStudy):
            section = study.to_section()
            if model is None and study.model.base_model_generator is not None:
                model = study.model.base_model_generator
            dataset = dataset if dataset is not None else study.custom_dataset_generator
            if study.model.custom_model_generators:
                model = ablation.StudyModel(model, study.model.custom_model_generators)
        else:
            section = _check.mapping(study, "ablation_study")
        if self.ablator != "loco":
            section["mode"] = self.ablator
        section.setdefault("repeats", self.repeats)
        return Config(name=_name(self.name), context="ablation", goal=self.direction, metric=self.metric,
                      parameters={name: {"value": value} for name, value in self.hparams.items()},
                      settings={"ablation": section}, model=model, dataset=dataset, workers=self.workers)

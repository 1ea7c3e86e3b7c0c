"""Maggy's `experiment` module: `experiment.lagom(train_fn, config)`, and the setters of its contexts.

    from prova import Searchspace, experiment
    experiment.set_dataset_generator(make_data)
    experiment.set_model_generator(make_model)
    experiment.set_context("optimization", searchspace=space, num_trials=15, optimizer="randomsearch", direction="max")
    result = experiment.lagom(train)
    result.get("best_hp")

    experiment.set_context("dist_training", workers=2)
    experiment.lagom(train)             # the same function
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Optional

from . import _check, _run
from .config import AblationConfig, BaseConfig, DistributedConfig, HyperparameterOptConfig, as_config
from .errors import ConfigError
from .result import Result
from .space import Searchspace

_CONTEXTS: Dict[str, Callable[..., Any]] = {
    "optimization": HyperparameterOptConfig,
    "ablation": AblationConfig,
    "dist_training": DistributedConfig,
    "distributed": DistributedConfig,
    "single": BaseConfig,
}

_config: Optional[Any] = None
_generators: Dict[str, Any] = {}


def set_dataset_generator(generator: Any) -> None:
    """What makes the dataset of every trial from now on.

    Args:
        generator: A function that returns it, or the dataset itself; None: nothing.

    >>> set_dataset_generator(lambda: [1, 2, 3])
    >>> set_dataset_generator(None)
    """
    _generators["dataset"] = generator


def set_model_generator(generator: Any) -> None:
    """What makes the model of every trial from now on.

    Args:
        generator: A function that returns it, called with those parameters it names; None: nothing.

    >>> set_model_generator(lambda units=2: [0.0] * units)
    >>> set_model_generator(None)
    """
    _generators["model"] = generator


def set_context(context: str, *arguments: Any, **options: Any) -> None:
    """What `lagom` without a configuration does from now on.

    Args:
        context: "optimization", "ablation", "dist_training" or "single".
        *arguments: Those of the context's configuration: `prova.HyperparameterOptConfig`, `prova.AblationConfig`,
            `prova.DistributedConfig`, `prova.BaseConfig`.
        **options: Likewise.

    Raises:
        ConfigError: there is no such context, or it has no such option.

    >>> set_context("optimisation")
    Traceback (most recent call last):
    prova.errors.ConfigError: unknown context 'optimisation'; there are: optimization, ablation, dist_training, ...
    """
    global _config
    if _check.text(context, "context") not in _CONTEXTS:
        raise ConfigError(f"unknown context '{context}'; there are: {', '.join(_CONTEXTS)}")
    _config = _CONTEXTS[context](*arguments, **options)


# What says that a call of lagom is one of Maggy's before it had configurations.
_OLD_OPTIONS = ("searchspace", "optimizer", "direction", "num_trials", "optimization_key", "es_interval", "es_min", "es_policy",
                "hb_interval", "description", "ablation_study", "ablator", "experiment_type")


def _configure(options: Dict[str, Any]) -> Any:
    """The configuration that such options stand for; they are taken from `options`."""
    kind = options.pop("experiment_type", "ablation" if "ablation_study" in options else "optimization")
    if kind not in ("optimization", "ablation"):
        raise ConfigError(f"experiment_type is {_check.short(kind)}: it must be 'optimization' or 'ablation'")
    mine = {name: options.pop(name) for name in (*_OLD_OPTIONS, "name", "model", "dataset", "workers") if name in options}
    if kind == "optimization":
        mine = {"num_trials": 1, "optimizer": "randomsearch", **mine}
        mine["optimizer"] = mine["optimizer"] or "randomsearch"
    try:
        return _CONTEXTS[kind](**mine)
    except ConfigError as error:
        raise ConfigError(f"lagom of an {kind} experiment: {error}") from None


def lagom(train_fn: Optional[Callable[..., Any]] = None, config: Any = None, **options: Any) -> Result:
    """`prova.lagom`, with the context and generators that were set here where none are given.

    Args:
        train_fn: The training function; `map_fun` is another name of it.
        config: A configuration, as of `prova.lagom`; or Maggy's `Searchspace`, where it had no configurations yet.
        **options: Fields of `prova.Config`; or the options that Maggy's `lagom` had then: `searchspace`, `optimizer`,
            `direction`, `num_trials`, `name`, `es_policy`, `es_min`, ...; for an ablation study `experiment_type="ablation"`,
            `ablation_study` and `ablator`.

    Raises:
        ConfigError: it is faulty. See `prova.lagom` for what else can be raised.

    >>> result = lagom(lambda x: x, searchspace=Searchspace(x=("DOUBLE", [0, 1])), optimizer="randomsearch",
    ...                num_trials=4, name="old", direction="max", progress=False)
    >>> result["num_trials"]
    4
    """
    if train_fn is None:
        train_fn = options.pop("map_fun", None)
    if isinstance(config, Searchspace):
        options["searchspace"], config = config, None
    if config is None and any(name in options for name in _OLD_OPTIONS):
        config = _configure(options)
    chosen = as_config(config if config is not None else _config, {})
    for kind, generator in _generators.items():
        if getattr(chosen, kind) is None:
            setattr(chosen, kind, generator)
    return _run.lagom(train_fn, chosen, **options)


launch = lagom
experiment = sys.modules[__name__]  # some of its documents import `experiment` from here

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

from typing import Any, Callable, Dict, Optional

from . import _check, _run
from .config import AblationConfig, BaseConfig, DistributedConfig, HyperparameterOptConfig, as_config
from .errors import ConfigError
from .result import Result

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
    """What makes the dataset of every trial from now on; None: nothing."""
    _generators["dataset"] = generator


def set_model_generator(generator: Any) -> None:
    """What makes the model of every trial from now on; None: nothing."""
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
    try:
        _config = _CONTEXTS[context](*arguments, **options)
    except TypeError as error:
        raise ConfigError(f"context '{context}': {error}") from None


def lagom(train_fn: Callable[..., Any], config: Any = None, **options: Any) -> Result:
    """`prova.lagom`, with the context and generators that were set here where none are given."""
    chosen = as_config(config if config is not None else _config, {})
    for kind, generator in _generators.items():
        if getattr(chosen, kind) is None:
            setattr(chosen, kind, generator)
    return _run.lagom(train_fn, chosen, **options)

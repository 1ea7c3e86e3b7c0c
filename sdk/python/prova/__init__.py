"""prova: hyperparameter search, ablation studies and distributed training from one training function.

    import prova

    def train(lr, layers):
        for epoch in range(10):
            loss = ...
            prova.report(epoch, loss)
        return loss

    result = prova.lagom(train, parameters={"lr": prova.double(1e-4, 1, log=True), "layers": prova.int(1, 8)},
                         metric="loss", goal="minimize", trials=50, workers=2)
    print(result.best_value, result.best_params)

All decisions are made in libprova; this package carries them to Python. Modules are loaded when they are first
used, so that `import prova` costs next to nothing.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # importing typing takes longer than all of this file
if TYPE_CHECKING:
    from typing import Any, List

    from . import (
        ablation,
        callbacks,
        config,
        display,
        earlystop,
        errors,
        experiment,
        experiment_config,
        optimizer,
        plots,
        space,
        tensorboard,
    )
    from ._run import lagom
    from ._trial import Reporter, Trial, current_trial, report
    from .config import (
        AblationConfig,
        BaseConfig,
        Config,
        DistributedConfig,
        HyperparameterOptConfig,
        OptimizationConfig,
        TfDistributedConfig,
        TorchDistributedConfig,
    )
    from .connection import Connection, Experiment, connect
    from .errors import EarlyStop, ProvaError
    from .result import Result, TrialRecord
    from .search import Search
    from .space import Searchspace, categorical, constant, discrete, double, int

_PLACES = {
    "lagom": "_run",
    "Reporter": "_trial", "Trial": "_trial", "current_trial": "_trial", "report": "_trial",
    "AblationConfig": "config", "BaseConfig": "config", "Config": "config", "DistributedConfig": "config",
    "HyperparameterOptConfig": "config", "OptimizationConfig": "config", "TfDistributedConfig": "config",
    "TorchDistributedConfig": "config",
    "Connection": "connection", "Experiment": "connection", "connect": "connection",
    "EarlyStop": "errors", "ProvaError": "errors",
    "Result": "result", "TrialRecord": "result",
    "Search": "search",
    "Searchspace": "space", "categorical": "space", "constant": "space", "discrete": "space", "double": "space",
    "int": "space",
}
_MODULES = ("ablation", "callbacks", "config", "display", "earlystop", "errors", "experiment", "experiment_config",
            "optimizer", "plots", "space", "tensorboard")

__version__ = "0.1.0"
__all__ = [
    "ablation", "AblationConfig", "BaseConfig", "callbacks", "categorical", "Config", "config", "connect",
    "Connection", "constant", "current_trial", "discrete", "display", "DistributedConfig", "double", "EarlyStop",
    "earlystop", "errors", "Experiment", "experiment", "experiment_config", "HyperparameterOptConfig", "int", "lagom",
    "OptimizationConfig", "optimizer", "plots", "ProvaError", "report", "Reporter", "Result", "Search", "Searchspace", "space",
    "tensorboard", "TfDistributedConfig", "TorchDistributedConfig", "Trial", "TrialRecord",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module("." + _PLACES[name], __name__), name)
    elif name in _MODULES:
        value = importlib.import_module("." + name, __name__)
    else:
        raise AttributeError(f"module 'prova' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])

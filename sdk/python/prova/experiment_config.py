"""The configurations, under the name that older notebooks of Maggy import them from.

>>> from prova.experiment_config import OptimizationConfig
"""

from .config import (
    AblationConfig,
    BaseConfig,
    DistributedConfig,
    HyperparameterOptConfig,
    OptimizationConfig,
    TfDistributedConfig,
    TorchDistributedConfig,
)

__all__ = ["AblationConfig", "BaseConfig", "DistributedConfig", "HyperparameterOptConfig", "OptimizationConfig",
           "TfDistributedConfig", "TorchDistributedConfig"]

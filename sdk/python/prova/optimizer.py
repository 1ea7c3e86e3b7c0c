"""Maggy's optimizers, as objects for `HyperparameterOptConfig(optimizer=...)`: names of prova's searches with options.

    from prova.optimizer import Asha
    config = prova.OptimizationConfig(num_trials=27, optimizer=Asha(3, 1, 10), searchspace=space)
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from . import _check


@_check.explained
class Optimizer:
    """What Maggy calls an optimizer: a search, and how long its trials run.

    Attributes:
        plan: The `search` and `schedule` of a `prova.Config`.

    Args:
        search: Its name.
        schedule: A dict of its name and options; None: every trial runs to its end.

    Raises:
        ConfigError: one of them is no such thing.

    >>> Optimizer("sobol").plan
    {'search': 'sobol'}
    """

    def __init__(self, search: str, schedule: Optional[Dict[str, Any]] = None) -> None:
        self.plan: Dict[str, Any] = {"search": _check.text(search, "search")}
        if schedule is not None:
            self.plan["schedule"] = _check.plug_in(schedule, "schedule")


@_check.explained
class RandomSearch(Optimizer):
    """Points drawn at random.

    >>> RandomSearch().plan
    {'search': 'random'}
    """

    def __init__(self) -> None:
        super().__init__("random")


@_check.explained
class GridSearch(Optimizer):
    """All points of a grid.

    >>> GridSearch().plan
    {'search': 'grid'}
    """

    def __init__(self) -> None:
        super().__init__("grid")


@_check.explained
class TPE(Optimizer):
    """Tree-structured Parzen estimators.

    >>> TPE().plan
    {'search': 'tpe'}
    """

    def __init__(self) -> None:
        super().__init__("tpe")


@_check.explained
class GP(Optimizer):
    """Bayesian optimization with Gaussian processes.

    >>> GP().plan
    {'search': 'gp'}
    """

    def __init__(self) -> None:
        super().__init__("gp")


@_check.explained
class Asha(Optimizer):
    """Asynchronous successive halving of random points. The training function asks for its `budget`.

    Args:
        reduction_factor: Of so many trials that have reached a budget one goes on; at least 2.
        resource_min: The first budget, in units such as epochs; at least 1.
        resource_max: The last.

    Raises:
        ConfigError: one of them is no such number.

    >>> Asha(3, 1, 10).plan["schedule"]
    {'name': 'asha', 'eta': 3, 'min_budget': 1, 'max_budget': 10}
    """

    def __init__(self, reduction_factor: int = 2, resource_min: int = 1, resource_max: int = 4) -> None:
        super().__init__("random", {"name": "asha", "eta": _check.whole(reduction_factor, "reduction_factor", 2, 1000),
                                    "min_budget": _check.whole(resource_min, "resource_min", 1, _check.MAX_STEP),
                                    "max_budget": _check.whole(resource_max, "resource_max", 1, _check.MAX_STEP)})

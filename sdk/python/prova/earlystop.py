"""Maggy's rules of early stopping, for `HyperparameterOptConfig(es_policy=...)`. The class or an object of it will do.

    from prova.earlystop import MedianStoppingRule
    config = prova.OptimizationConfig(num_trials=15, optimizer="randomsearch", searchspace=space, es_policy=MedianStoppingRule)
"""

from __future__ import annotations


class MedianStoppingRule:
    """Stops a trial that is worse than the median of the completed ones.

    >>> MedianStoppingRule.policy
    'median'
    """

    policy = "median"


class NoStoppingRule:
    """Stops none.

    >>> NoStoppingRule.policy
    'none'
    """

    policy = "none"

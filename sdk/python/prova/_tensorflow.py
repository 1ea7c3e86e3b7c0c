"""TensorFlow in a gang: the strategy under whose scope the function runs, and datasets that are shared.

As with PyTorch the sizes that a training function names are those of the whole: TensorFlow divides the batches of a
dataset among the workers.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable

import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy


class Strategy(tf.distribute.MultiWorkerMirroredStrategy):  # type: ignore[misc]
    """The strategy that keeps a model the same on all workers; and that reduces what Keras 3 gives it: the nested
    values of a batch, and scalars over an axis that they do not have, of which the one of TensorFlow 2.21 fails."""

    def reduce(self, reduce_op: Any, value: Any, axis: Any = None) -> Any:
        if isinstance(value, (tuple, list, dict)):
            return tf.nest.map_structure(lambda part: self.reduce(reduce_op, part, axis), value)
        if axis is not None and all(len(part.shape) == 0 for part in self.experimental_local_results(value)):
            axis = None
        return super().reduce(reduce_op, value, axis)


_has_run = False


def _begin_anew() -> None:
    """TensorFlow knows one cluster in a process's life; an earlier trial's is forgotten with all that was made in it."""
    global _has_run
    if _has_run:
        from tensorflow.python.eager import context
        context._reset_context()
    _has_run = True


class Group:
    """This process's membership in a cluster, as TF_CONFIG has it."""

    def __init__(self, is_stopped: Callable[[], bool]) -> None:
        self.has_agreed = False
        self.decides = False
        self._is_stopped = is_stopped
        _begin_anew()
        # Who has died is known without TensorFlow's thread that asks the others, for which a rank that ends would wait.
        collective_all_reduce_strategy.CollectiveAllReduceExtended._enable_check_health = False
        self.strategy = Strategy()

    def scope(self) -> "contextlib.AbstractContextManager[Any]":
        """Where models, optimizers and metrics are made that are the same on all workers."""
        scope: "contextlib.AbstractContextManager[Any]" = self.strategy.scope()
        return scope

    def agree(self) -> None:
        """Tells the others whether this rank is asked to stop, and hears it of them; all ranks call this."""
        self.decides = True
        asked = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant(float(self._is_stopped())))
        self.has_agreed = bool(self.strategy.reduce("SUM", asked, axis=None) > 0)


def share(made: Any) -> Any:
    """Datasets that are divided among workers by their elements, where nobody has chosen otherwise: by files, as
    TensorFlow would like best, needs a file for each worker at least.

    Args:
        made: A `tf.data.Dataset`, or a tuple, list or dict of such and other things, which stay as they are.

    >>> share(tf.data.Dataset.range(8)).options().experimental_distribute.auto_shard_policy.name
    'DATA'
    """
    if isinstance(made, (tuple, list)):
        return type(made)(share(part) for part in made)
    if isinstance(made, dict):
        return {name: share(part) for name, part in made.items()}
    policies = tf.data.experimental.AutoShardPolicy
    if not isinstance(made, tf.data.Dataset) or \
            made.options().experimental_distribute.auto_shard_policy != policies.AUTO:
        return made
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policies.DATA
    return made.with_options(options)

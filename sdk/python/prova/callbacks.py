"""Callbacks of frameworks, which report as training goes on. The framework is imported when one is made.

    model.fit(x, y, validation_data=..., callbacks=[prova.callbacks.KerasEpochEnd(metric="val_loss")])
    lightning.Trainer(callbacks=[prova.callbacks.LightningReport("val_loss")])
    transformers.Trainer(..., callbacks=[prova.callbacks.TransformersReport("eval_loss")])

A trial that is stopped leaves the framework's loop by `prova.EarlyStop`.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

from ._trial import Reporter, current_trial, report
from .errors import ConfigError, UnsupportedError


def _first(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UnsupportedError(f"none of {', '.join(names)} is installed")


def _tell(reporter: Optional[Reporter], value: Any, step: Optional[int]) -> None:
    trial = current_trial()
    if trial is not None and trial._gang is not None:
        trial._gang.agree()
    if reporter is not None:
        reporter.broadcast(float(value), step)
    else:
        report(step, float(value))


def _pick(values: Any, metric: str) -> Any:
    if values is None or metric not in values:
        raise ConfigError(f"the framework gives no metric '{metric}'; it gives: {', '.join(values or []) or 'none'}")
    return values[metric]


def KerasEpochEnd(reporter: Optional[Reporter] = None, metric: str = "val_loss") -> Any:  # noqa: N802
    """A Keras callback that reports `metric` at the end of each epoch, at the epoch's number.

    Args:
        reporter: The training function's; None: that of the running trial.
        metric: Its name among what the framework gives.

    Raises:
        UnsupportedError: the framework is not installed.
        ConfigError: when it is called: the framework gives no such metric.
    """
    keras = _first("keras", "tensorflow.keras")

    class EpochEnd(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            _tell(reporter, _pick(logs, metric), epoch)

    return EpochEnd()


def KerasBatchEnd(reporter: Optional[Reporter] = None, metric: str = "loss") -> Any:  # noqa: N802
    """A Keras callback that reports `metric` at the end of each batch, at steps that count batches.

    Args:
        reporter: The training function's; None: that of the running trial.
        metric: Its name among what the framework gives.

    Raises:
        UnsupportedError: the framework is not installed.
        ConfigError: when it is called: the framework gives no such metric.
    """
    keras = _first("keras", "tensorflow.keras")

    class BatchEnd(keras.callbacks.Callback):  # type: ignore[misc, name-defined]
        def on_train_batch_end(self, _batch: int, logs: Any = None) -> None:
            _tell(reporter, _pick(logs, metric), None)

    return BatchEnd()


def LightningReport(metric: str = "val_loss", reporter: Optional[Reporter] = None) -> Any:  # noqa: N802
    """A callback of PyTorch Lightning that reports a logged `metric` after each validation, at the epoch's number.

    Args:
        reporter: The training function's; None: that of the running trial.
        metric: Its name among what the framework gives.

    Raises:
        UnsupportedError: the framework is not installed.
        ConfigError: when it is called: the framework gives no such metric.
    """
    lightning = _first("lightning.pytorch", "pytorch_lightning")

    class Report(lightning.Callback):  # type: ignore[misc, name-defined]
        def on_validation_end(self, trainer: Any, _module: Any) -> None:
            if not trainer.sanity_checking:
                _tell(reporter, _pick(trainer.callback_metrics, metric), trainer.current_epoch)

    return Report()


def TransformersReport(metric: str = "eval_loss", reporter: Optional[Reporter] = None) -> Any:  # noqa: N802
    """A callback of transformers' Trainer that reports `metric` of each evaluation, at the global step.

    Args:
        reporter: The training function's; None: that of the running trial.
        metric: Its name among what the framework gives.

    Raises:
        UnsupportedError: the framework is not installed.
        ConfigError: when it is called: the framework gives no such metric.
    """
    transformers = _first("transformers")

    class Report(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: Any = None, **_: Any) -> None:
            _tell(reporter, _pick(metrics, metric), state.global_step)

    return Report()

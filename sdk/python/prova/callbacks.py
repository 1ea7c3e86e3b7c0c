"""Callbacks of frameworks, which report as training goes on. The framework is imported when one is made.

    model.fit(x, y, validation_data=..., callbacks=[prova.callbacks.KerasEpochEnd(metric="val_loss")])
    lightning.Trainer(callbacks=[prova.callbacks.LightningReport("val_loss")])
    transformers.Trainer(..., callbacks=[prova.callbacks.TransformersReport("eval_loss")])

A trial that is stopped leaves the framework's loop by `prova.EarlyStop`. Of the members of a distributed trial only rank 0
reports, and all leave at the same step. Outside of a trial a callback does nothing.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Optional

from . import _check
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


def _keras(event: str, step: Callable[[int], Optional[int]], reporter: Optional[Reporter], metric: str) -> Any:
    _check.text(metric, "metric")
    keras = _first("keras", "tensorflow.keras")

    def on_event(_callback: Any, number: int, logs: Any = None) -> None:
        _tell(reporter, _pick(logs, metric), step(number))

    return type("Report", (keras.callbacks.Callback,), {event: on_event})()


def KerasEpochEnd(reporter: Optional[Reporter] = None, metric: str = "val_loss") -> Any:  # noqa: N802
    """A Keras callback that reports `metric` at the end of each epoch, at the epoch's number, from 0.

    Args:
        reporter: The training function's; None: that of the running trial.
        metric: Its name in the `logs` that Keras gives: "loss", the names of the compiled metrics, and with "val_" before
            them those of the validation data. One number, in the metric's own unit.

    Returns:
        A `keras.callbacks.Callback`, for the `callbacks` of `fit`.

    Raises:
        UnsupportedError: neither Keras nor TensorFlow is installed.
        ConfigError: `metric` is no text; or, in `fit`, Keras gives no such metric.

    >>> import keras
    >>> import numpy
    >>> import prova
    >>> def train(rate):
    ...     x = numpy.linspace(-1, 1, 32).reshape(32, 1)
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     model.fit(x, 2 * x, epochs=3, verbose=0, validation_data=(x, 2 * x), callbacks=[KerasEpochEnd()])
    >>> result = prova.lagom(train, name="epochs", parameters={"rate": prova.double(0.01, 0.1)}, trials=1, workers=1,
    ...                      metric="val_loss", progress=False)
    >>> prova.connect().experiment("epochs").trials[0].curve()[0]
    [0, 1, 2]
    """
    return _keras("on_epoch_end", lambda epoch: epoch, reporter, metric)


def KerasBatchEnd(reporter: Optional[Reporter] = None, metric: str = "loss") -> Any:  # noqa: N802
    """The same as `KerasEpochEnd`, at the end of each batch of the training. Steps count the batches of all epochs, from 0;
    `reporter`, `metric` (of which Keras gives the mean over the epoch so far, and none of validation), what is returned and
    raised are as there.

    >>> import keras
    >>> KerasBatchEnd(metric="accuracy").on_train_batch_end(0, {"accuracy": 0.5, "loss": 0.7})
    >>> KerasBatchEnd(metric="acuracy").on_train_batch_end(0, {"accuracy": 0.5, "loss": 0.7})
    Traceback (most recent call last):
    prova.errors.ConfigError: the framework gives no metric 'acuracy'; it gives: accuracy, loss
    """
    return _keras("on_train_batch_end", lambda _batch: None, reporter, metric)


def LightningReport(metric: str = "val_loss", reporter: Optional[Reporter] = None) -> Any:  # noqa: N802
    """A callback of PyTorch Lightning that reports `metric` after each validation, at the epoch's number, from 0. The
    sanity check before the training is none.

    Args:
        metric: The name under which the module logs it (`self.log("val_loss", ...)`): a number, or a tensor of one element.
        reporter: The training function's; None: that of the running trial.

    Returns:
        A `Callback` of Lightning, for the `callbacks` of its `Trainer`.

    Raises:
        UnsupportedError: Lightning is not installed.
        ConfigError: `metric` is no text; or, in `fit`, the module has not logged it.

    >>> import pytorch_lightning
    >>> from types import SimpleNamespace
    >>> trainer = SimpleNamespace(sanity_checking=False, current_epoch=0, callback_metrics={"val_loss": 0.5})
    >>> LightningReport().on_validation_end(trainer, None)
    >>> LightningReport("loss").on_validation_end(trainer, None)
    Traceback (most recent call last):
    prova.errors.ConfigError: the framework gives no metric 'loss'; it gives: val_loss
    """
    _check.text(metric, "metric")
    lightning = _first("lightning.pytorch", "pytorch_lightning")

    class Report(lightning.Callback):  # type: ignore[misc, name-defined]
        def on_validation_end(self, trainer: Any, _module: Any) -> None:
            if not trainer.sanity_checking:
                _tell(reporter, _pick(trainer.callback_metrics, metric), trainer.current_epoch)

    return Report()


def TransformersReport(metric: str = "eval_loss", reporter: Optional[Reporter] = None) -> Any:  # noqa: N802
    """A callback of transformers' `Trainer` that reports `metric` of each evaluation, at the global step: how many updates
    of the weights there were.

    Args:
        metric: Its name among what an evaluation gives: "eval_loss", and what `compute_metrics` returns with "eval_" before it.
        reporter: The training function's; None: that of the running trial.

    Returns:
        A `TrainerCallback`, for the `callbacks` of the `Trainer`, whose `eval_strategy` says when it evaluates.

    Raises:
        UnsupportedError: transformers is not installed.
        ConfigError: `metric` is no text; or, in `train`, an evaluation has no such metric.

    >>> import transformers
    >>> report, state = TransformersReport("eval_accuracy"), transformers.TrainerState(global_step=40)
    >>> report.on_evaluate(None, state, None, metrics={"eval_accuracy": 0.5})
    >>> report.on_evaluate(None, state, None, metrics={"eval_loss": 0.7})
    Traceback (most recent call last):
    prova.errors.ConfigError: the framework gives no metric 'eval_accuracy'; it gives: eval_loss
    """
    _check.text(metric, "metric")
    transformers = _first("transformers")

    class Report(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: Any = None, **_: Any) -> None:
            _tell(reporter, _pick(metrics, metric), state.global_step)

    return Report()

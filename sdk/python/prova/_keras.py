"""Keras models without some layers."""

from __future__ import annotations

from typing import Any, List

import keras

from .errors import ConfigError


def drop(model: Any, names: List[str]) -> Any:
    """A new model without these layers: what came into one goes into whatever took its output.

    Its other layers are made anew of their configurations, since those behind a gap may have other shapes; they keep
    their weights where the shapes are the same. A compiled model is compiled again.

    Args:
        model: A Sequential or functional model.
        names: Those of its layers that are left out, each with one input of any shape.

    Raises:
        ConfigError: the model has no such layer, the layer joins several others, or the model is a class of its own.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="hidden"), keras.layers.Dense(1, name="out")])
    >>> [(layer.name, tuple(layer.kernel.shape)) for layer in drop(model, ["hidden"]).layers]
    [('out', (4, 1))]
    """
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            raise ConfigError(f"the model has no layer '{name}'; it has: {', '.join(known)}")
    left = _sequential(model, names) if isinstance(model, keras.Sequential) else _functional(model, names)
    _keep_weights(model, left)
    if model.compiled:
        left.compile_from_config(model.get_compile_config())
    return left


def _sequential(model: Any, names: List[str]) -> Any:
    inputs = [keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)] if model.built else []
    kept = [type(layer).from_config(layer.get_config()) for layer in model.layers if layer.name not in names]
    return keras.Sequential([*inputs, *kept], name=model.name)


def _functional(model: Any, names: List[str]) -> Any:
    def call(layer: Any, *arguments: Any, **named: Any) -> Any:
        if layer.name not in names:
            return layer(*arguments, **named)
        if len(arguments) != 1 or isinstance(arguments[0], (list, tuple, dict)):
            raise ConfigError(f"layer '{layer.name}' joins several others and cannot be left out by itself: give the model "
                              "generator an argument `ablated`, and leave it out there")
        return arguments[0]

    for layer in model.layers:
        if layer.name in names and isinstance(layer, keras.layers.InputLayer):
            raise ConfigError(f"layer '{layer.name}' is an input: leave out the feature instead")
    try:
        return keras.models.clone_model(model, call_function=call, clone_function=_copy)
    except ValueError as error:
        if "functional" not in str(error).lower():
            raise
        raise ConfigError(f"layers of a {type(model).__name__}, which is neither Sequential nor made of inputs and outputs, "
                          "cannot be left out by themselves: give the model generator an argument `ablated`") from error


def _copy(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def _keep_weights(model: Any, left: Any) -> None:
    before = {layer.name: layer.get_weights() for layer in model.layers}
    for layer in left.layers:
        weights = before.get(layer.name, [])
        if weights and [w.shape for w in weights] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(weights)

"""Search spaces: what a parameter may be.

A space is a dict of names and parameters, as the `parameters:` section of a sweep file. The functions here make
its values; plain dicts in the form of the file serve as well.

    parameters = {
        "lr": prova.double(1e-4, 1, log=True, default=0.01),
        "layers": prova.int(1, 8),
        "batch": prova.discrete([16, 32, 64]),
        "optimizer": prova.categorical(["sgd", "adam"]),
        "momentum": prova.double(0, 0.99, when={"optimizer": "sgd"}),
    }
"""

from __future__ import annotations

import builtins
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from . import _check
from .errors import ConfigError

Parameter = Dict[str, Any]
Value = Union[bool, builtins.int, float, str]
When = Mapping[str, Union[Value, Sequence[Value]]]


def _details(parameter: Parameter, default: Optional[Value], when: Optional[When]) -> Parameter:
    if default is not None:
        parameter["default"] = default
    if when is not None:
        parameter["when"] = {
            name: list(values) if isinstance(values, (list, tuple)) else [values]
            for name, values in _check.mapping(when, "when").items()
        }
    return parameter


def _whole(value: Any, what: str) -> builtins.int:
    return _check.whole(value, what, -2 ** 63, 2 ** 63 - 1)


def _range(kind: str, low: Any, high: Any, log: bool, step: Any) -> Parameter:
    parameter: Parameter = {"type": kind, "min": low, "max": high}
    if _check.flag(log, "log"):
        parameter["scale"] = "log"
    if step is not None:
        parameter["step"] = step
    return parameter


@_check.explained
def double(low: float, high: float, *, log: bool = False, step: Optional[float] = None,
           default: Optional[float] = None, when: Optional[When] = None) -> Parameter:
    """A real number from `low` to `high`, both included.

    Args:
        low: Lower end. Above 0 where `log` is set.
        high: Upper end.
        log: Search on a logarithmic scale.
        step: Only `low`, `low + step`, ... are tried.
        default: Tried first.
        when: Active only while other parameters have these values, e.g. `{"solver": ["sgd"]}`.

    Returns:
        The parameter, as in a sweep file.

    Raises:
        ConfigError: an argument is of a wrong type. The range is looked at when the space is used.

    >>> double(1e-4, 1, log=True)
    {'type': 'double', 'min': 0.0001, 'max': 1.0, 'scale': 'log'}
    """
    low, high = _check.number(low, "low"), _check.number(high, "high")
    step, default = (each if each is None else _check.number(each, what)
                     for each, what in ((step, "step"), (default, "default")))
    return _details(_range("double", low, high, log, step), default, when)


@_check.explained
def int(low: builtins.int, high: builtins.int, *, log: bool = False, step: Optional[builtins.int] = None,
        default: Optional[builtins.int] = None, when: Optional[When] = None) -> Parameter:
    """A whole number from `low` to `high`, both included.

    Args:
        low: Lower end. Above 0 where `log` is set.
        high: Upper end.
        log: Search on a logarithmic scale.
        step: Only `low`, `low + step`, ... are tried.
        default: Tried first.
        when: Active only while other parameters have these values, e.g. `{"solver": ["sgd"]}`.

    Returns:
        The parameter, as in a sweep file.

    Raises:
        ConfigError: an argument is of a wrong type. The range is looked at when the space is used.

    >>> int(1, 8)
    {'type': 'int', 'min': 1, 'max': 8}
    """
    low, high = _whole(low, "low"), _whole(high, "high")
    step, default = (each if each is None else _whole(each, what)
                     for each, what in ((step, "step"), (default, "default")))
    return _details(_range("int", low, high, log, step), default, when)


@_check.explained
def discrete(values: Sequence[float], *, log: bool = False, default: Optional[float] = None,
             when: Optional[When] = None) -> Parameter:
    """One of some numbers, whose order and distances matter.

    Args:
        values: The numbers, at least one.
        log: Their distances are those of their logarithms.
        default: Tried first.
        when: Active only while other parameters have these values, e.g. `{"solver": ["sgd"]}`.

    Returns:
        The parameter, as in a sweep file.

    Raises:
        ConfigError: an argument is of a wrong type.

    >>> discrete([16, 32, 64])
    {'type': 'discrete', 'values': [16, 32, 64]}
    """
    parameter: Parameter = {"type": "discrete", "values": _check.values(values, "values")}
    if _check.flag(log, "log"):
        parameter["scale"] = "log"
    return _details(parameter, default, when)


@_check.explained
def categorical(values: Sequence[Value], *, default: Optional[Value] = None,
                when: Optional[When] = None) -> Parameter:
    """One of some values, between which there is no order.

    Args:
        values: Texts, numbers or truth values, at least one.
        default: Tried first.
        when: Active only while other parameters have these values, e.g. `{"solver": ["sgd"]}`.

    Returns:
        The parameter, as in a sweep file.

    Raises:
        ConfigError: an argument is of a wrong type.

    >>> categorical(["relu", "tanh"], default="relu")
    {'type': 'categorical', 'values': ['relu', 'tanh'], 'default': 'relu'}
    """
    return _details({"type": "categorical", "values": _check.values(values, "values")}, default, when)


@_check.explained
def constant(value: Value) -> Parameter:
    """The same in every trial.

    Args:
        value: A text, number or truth value.

    Returns:
        The parameter, as in a sweep file.

    >>> constant(40)
    {'value': 40}
    """
    return {"value": value}


class Searchspace(Mapping[str, Parameter]):
    """A search space in Maggy's form: names with tuples of a type and its values.

    The types are "DOUBLE" and "INTEGER" (two values: the ends, both included), "DISCRETE" and "CATEGORICAL" (all
    values). It may be given wherever a dict of parameters may, and can be read as one.

    Raises:
        ConfigError: a type or range makes no sense, or a name is taken.

    >>> space = Searchspace(kernel=("INTEGER", [2, 8]), pool=("INTEGER", [2, 8]))
    >>> space.add("dropout", ("DOUBLE", [0.01, 0.99]))
    >>> space.kernel
    [2, 8]
    >>> space["dropout"]
    {'type': 'double', 'min': 0.01, 'max': 0.99}
    """

    DOUBLE = "DOUBLE"
    INTEGER = "INTEGER"
    DISCRETE = "DISCRETE"
    CATEGORICAL = "CATEGORICAL"

    def __init__(self, **parameters: Tuple[str, Sequence[Any]]) -> None:
        self._types: Dict[str, str] = {}
        self._values: Dict[str, List[Any]] = {}
        for name, value in parameters.items():
            self.add(name, value)

    def add(self, name: str, value: Tuple[str, Sequence[Any]]) -> None:
        """Adds one parameter, e.g. `add("dropout", ("DOUBLE", [0.01, 0.99]))`."""
        _check.text(name, "a parameter's name")
        if name in self._types or hasattr(type(self), name):
            raise ConfigError(f"the parameter's name '{name}' is taken")
        if not isinstance(value, (tuple, list)) or len(value) != 2 or not isinstance(value[0], str):
            raise ConfigError(f"parameter '{name}' must be a tuple (type, values), not {_check.short(value)}")
        kind, values = value[0].upper(), _check.values(value[1], f"the values of '{name}'")
        if kind not in (self.DOUBLE, self.INTEGER, self.DISCRETE, self.CATEGORICAL):
            raise ConfigError(f"parameter '{name}' has the unknown type '{value[0]}'; there are: DOUBLE, INTEGER, "
                              "DISCRETE, CATEGORICAL")
        if not values:
            raise ConfigError(f"parameter '{name}' has no values")
        if kind in (self.DOUBLE, self.INTEGER) and len(values) != 2:
            raise ConfigError(f"parameter '{name}' of type {kind} needs two values, the ends of its range, "
                              f"not {_check.short(values)}")
        self._types[name] = kind
        self._values[name] = values

    def __getattr__(self, name: str) -> List[Any]:
        values: Dict[str, List[Any]] = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"the search space has no parameter '{name}'")

    def __getitem__(self, name: str) -> Parameter:
        kind, values = self._types[name], self._values[name]
        if kind == self.DOUBLE:
            return double(values[0], values[1])
        if kind == self.INTEGER:
            return int(values[0], values[1])
        return discrete(values) if kind == self.DISCRETE else categorical(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> builtins.int:
        return len(self._types)

    def to_dict(self) -> Dict[str, Tuple[str, List[Any]]]:
        """What the constructor takes: `Searchspace(**space.to_dict())` is an equal space."""
        return {name: (kind, self._values[name]) for name, kind in self._types.items()}

    def names(self) -> Dict[str, str]:
        """Names and their types."""
        return dict(self._types)

    def __repr__(self) -> str:
        return "Searchspace(" + ", ".join(f"{k}={v!r}" for k, v in self.to_dict().items()) + ")"

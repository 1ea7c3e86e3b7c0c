"""What arguments must be: each returns its argument as the type that is asked for, or says what it is instead."""

from __future__ import annotations

import os

from .errors import ConfigError

TYPE_CHECKING = False  # workers import this, and their first trial waits for it
if TYPE_CHECKING:
    from typing import Any, Dict, List, TypeVar
    T = TypeVar("T")

MAX_STEP = 2 ** 53
DIRECTIONS = {"max": "maximize", "maximize": "maximize", "min": "minimize", "minimize": "minimize"}


def hint(name: str, known: List[str]) -> str:
    """What may be meant by a name that is not among those that are known, or all of them.

    >>> hint("trails", ["trials", "hours"])
    "; did you mean 'trials'?"
    """
    import difflib
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(known) or 'none'}"


def _explain(function: Any, arguments: Any, options: Dict[str, Any]) -> None:
    """Raises why it cannot be called so, if that is why it has failed."""
    import inspect
    signature = inspect.signature(function)
    method = function.__name__ == "__init__"
    what = type(arguments[0]).__name__ if method else function.__name__
    known = [each.name for each in list(signature.parameters.values())[method:] if each.kind != each.VAR_KEYWORD]
    takes_all = any(each.kind == each.VAR_KEYWORD for each in signature.parameters.values())
    for name in options:
        if name not in known and not takes_all:
            raise ConfigError(f"{what} has no argument '{name}'{hint(name, known)}") from None
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        raise ConfigError(f"{what}: {error}") from None


def explained(what: T) -> T:
    """A public function, or a class, that says in our words what is wrong with the names and the number of its arguments."""
    import functools
    function: Any = what.__init__ if isinstance(what, type) else what  # type: ignore[misc]

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except TypeError:
            _explain(function, arguments, options)
            raise

    if not isinstance(what, type):
        return call  # type: ignore[return-value]
    setattr(what, "__init__", call)  # noqa: B010
    return what


def short(value: Any) -> str:
    """A value and its type, for a message of one line.

    >>> short([1])
    '[1] (list)'
    """
    try:
        words = " ".join(repr(value).split())
    except Exception:
        words = "something"
    return f"{words if len(words) < 80 else words[:76] + ' ...'} ({type(value).__name__})"


def number(value: Any, what: str) -> float:
    """Any number, also of NumPy or a tensor of one element; no text.

    >>> number("1", "seed")
    Traceback (most recent call last):
    prova.errors.ConfigError: seed must be a number, not '1' (str)
    """
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except Exception:  # whatever a conversion may raise
        pass
    raise ConfigError(f"{what} must be a number, not {short(value)}")


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    try:
        if not isinstance(value, (str, bytes)) and int(value) == value and low <= value <= high:
            return int(value)
    except Exception:
        pass
    raise ConfigError(f"{what} must be a whole number from {low} to {high}, not {short(value)}")


def seconds(value: Any, what: str, low: float, high: float) -> float:
    """A duration from `low` to `high` seconds."""
    if not low <= number(value, what) <= high:
        raise ConfigError(f"{what} must be from {low:g} to {high:g} seconds, not {short(value)}")
    return float(value)


def step(value: Any) -> int:
    """A step of a report."""
    return whole(value, "a step", 0, MAX_STEP)


def text(value: Any, what: str) -> str:
    """A text that UTF-8 can carry, as libprova takes it."""
    if isinstance(value, str) and "\0" not in value:
        try:
            value.encode()
            return value
        except UnicodeEncodeError:
            pass
    raise ConfigError(f"{what} must be a text, not {short(value)}")


def path(value: Any, what: str) -> str:
    """A path, as text."""
    return text(os.fspath(value) if isinstance(value, os.PathLike) else value, what)


def plug_in(value: Any, what: str) -> Any:
    """The name of a search, schedule, stopping rule or context, or a dict with it and its options."""
    from collections.abc import Mapping
    if isinstance(value, Mapping):
        value = mapping(value, what)
        text(value.get("name"), f"the name in {what}")
        return value
    if isinstance(value, str):
        return text(value, what)
    raise ConfigError(f"{what} must be a name, or a dict with a name and options, not {short(value)}")


def goal(value: Any) -> str:
    """"minimize" or "maximize"."""
    if text(value, "goal") in ("minimize", "maximize"):
        return str(value)
    meant = DIRECTIONS.get(value.lower())
    raise ConfigError(f"goal is '{value}': it must be 'minimize' or 'maximize'"
                      + (f"; did you mean '{meant}'?" if meant else ""))


def direction(value: Any) -> str:
    """The goal that one of Maggy's directions is: "max" or "min", in any case."""
    meant = DIRECTIONS.get(text(value, "direction").lower())
    if meant is None:
        raise ConfigError(f"direction is '{value}': it must be 'max' or 'min'")
    return meant


def mapping(value: Any, what: str) -> Dict[str, Any]:
    """A dict with texts as keys; a copy."""
    from collections.abc import Mapping
    if not isinstance(value, Mapping):
        raise ConfigError(f"{what} must be a dict, not {short(value)}")
    return {text(key, f"a name in {what}"): each for key, each in value.items()}


def values(value: Any, what: str) -> List[Any]:
    """A list, tuple, range or array of values; a text is none."""
    try:
        if not isinstance(value, (str, bytes)):
            return list(value)
    except Exception:
        pass
    raise ConfigError(f"{what} must be a list, not {short(value)}")


def flag(value: Any, what: str) -> bool:
    """True or False."""
    if value is not True and value is not False:
        raise ConfigError(f"{what} must be True or False, not {short(value)}")
    return bool(value)

"""What arguments must be: each returns its argument as the type that is asked for, or says what it is instead."""

from __future__ import annotations

import os

from .errors import ConfigError

TYPE_CHECKING = False  # workers import this, and their first trial waits for it
if TYPE_CHECKING:
    from typing import Any, Dict, List

MAX_STEP = 2 ** 53


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

"""Ask and tell: a search without any driver, for a loop of one's own."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

from . import _check, _ffi, errors
from .config import to_yaml

_lib = _ffi.library


class Suggestion(Mapping[str, Any]):
    """A point to evaluate: a mapping of parameters, and the number that names it."""

    __slots__ = ("number", "params")

    def __init__(self, number: int, params: Dict[str, Any]) -> None:
        self.number = number
        self.params = params

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)

    def __repr__(self) -> str:
        return f"Suggestion({self.number}, {self.params})"


def _number_of(suggestion: Union[Suggestion, int]) -> int:
    if isinstance(suggestion, Suggestion):
        return suggestion.number
    return _check.whole(suggestion, "what is told (a suggestion, or its number)", 1, 2 ** 63 - 1)


@_check.explained
class Search:
    """A search of a space.

    Args:
        parameters: The space, as of `prova.Config`.
        search: Its name ("auto", "random", "tpe", "gp", ...) or a dict of the name and its options.
        goal: "minimize" or "maximize".
        seed: The same seed and calls give the same points.
        **options: The search's options.

    Raises:
        ConfigError: the space, the name or an option is wrong.

    >>> search = Search({"x": {"min": -1.0, "max": 1.0}}, "tpe", seed=1)
    >>> for _ in range(20):
    ...     point = search.ask()
    ...     search.tell(point, point["x"] ** 2)
    >>> search.best_value < 0.5
    True
    """

    def __init__(self, parameters: Mapping[str, Any], search: Union[str, Mapping[str, Any]] = "auto", *,
                 goal: str = "minimize", seed: int = 0, **options: Any) -> None:
        if isinstance(search, Mapping):
            options = {**{k: v for k, v in search.items() if k != "name"}, **options}
            search = search.get("name")  # type: ignore[assignment]
        message = ctypes.create_string_buffer(2048)
        space = to_yaml(_check.mapping(parameters, "parameters"))
        self._take(_lib.prova_search_new(
            space.encode(), _check.text(search, "search").encode(), to_yaml(options).encode(), _check.goal(goal).encode(),
            _check.whole(seed, "seed", 0, 2 ** 64 - 1), message, len(message)), message)

    def _take(self, pointer: Optional[int], message: "ctypes.Array[ctypes.c_char]") -> None:
        self._pointer: Optional[int] = pointer
        if not pointer:
            raise errors.ConfigError(message.value.decode("utf-8", "replace"))
        self._number = ctypes.c_int64()
        self._number_at = ctypes.byref(self._number)

    @classmethod
    def load(cls, text: str) -> "Search":
        """A search that goes on as the one of which `save` gave this text.

        Raises:
            ConfigError: it is no such text.
        """
        search = cls.__new__(cls)
        message = ctypes.create_string_buffer(2048)
        search._take(_lib.prova_search_load(_check.text(text, "what load takes").encode(), message, len(message)), message)
        return search

    def save(self) -> str:
        """All that the search is and was told, as text to be kept: JSON, a line a call.

        >>> search = Search({"x": {"min": -1.0, "max": 1.0}}, "tpe", seed=1)
        >>> search.tell(search.ask(), 0.5)
        >>> Search.load(search.save()).ask().params == search.ask().params
        True
        """
        text = _lib.prova_search_save(self._pointer)
        if text is None:
            raise MemoryError
        return str(text.decode())

    def ask(self) -> Suggestion:
        """The next point to evaluate; it counts as pending until it is told.

        Raises:
            ExhaustedError: every point of the space has been asked for.
        """
        code = _lib.prova_search_ask(self._pointer, self._number_at)
        if code < 0:
            _ffi.check(code, "every point of the space has been asked for" if code == -9 else "")
        number = self._number.value
        return Suggestion(number, json.loads(_lib.prova_search_json(self._pointer, number)))

    def ask_many(self, n: int) -> List[Suggestion]:
        """Up to n points at a time; fewer where the space ends.

        Raises:
            ExhaustedError: there is none.
        """
        numbers = (ctypes.c_int64 * _check.whole(n, "n", 1, 10 ** 6))()
        asked = _lib.prova_search_ask_many(self._pointer, n, numbers)
        if asked < 0:
            _ffi.check(asked, "every point of the space has been asked for" if asked == -9 else "")
        return [self._point(numbers[i]) for i in range(asked)]

    def _point(self, number: int) -> Suggestion:
        return Suggestion(number, json.loads(_lib.prova_search_json(self._pointer, number)))

    @property
    def trials(self) -> List[Tuple[Suggestion, str, Optional[float]]]:
        """Every point that was asked for or added: it, "pending", "told" or "failed", and its value (None: none)."""
        points = []
        for number in range(1, _lib.prova_search_count(self._pointer) + 1):
            state = ("pending", "told", "failed")[_lib.prova_search_state(self._pointer, number)]
            value = _lib.prova_search_value(self._pointer, number) if state == "told" else None
            points.append((self._point(number), state, value))
        return points

    def tell(self, suggestion: Union[Suggestion, int], value: Optional[float]) -> None:
        """Tells a point's value. None, NaN and infinity: it failed.

        Raises:
            ExistsError: it was told before.
            ConfigError: there is no such point.
        """
        number = _number_of(suggestion)
        if value is None:
            code = _lib.prova_search_tell_failed(self._pointer, number)
        else:
            code = _lib.prova_search_tell(self._pointer, number, _check.number(value, "a value"))
        _ffi.check(code, f"point {number} was told before" if code == -4 else
                   f"there is no point {number}" if code == -3 else "")

    def tell_step(self, suggestion: Union[Suggestion, int], step: int, value: float) -> None:
        """Tells a value on the way, at a step (a resource level) from 0 to 2**53."""
        number = _number_of(suggestion)
        _ffi.check(_lib.prova_search_tell_step(self._pointer, number, _check.step(step), _check.number(value, "a value")))

    def add(self, params: Mapping[str, Any], value: Optional[float] = None) -> int:
        """A point from elsewhere: evaluated, with its value, or pending, to be told later. Returns its number.

        Raises:
            ConfigError: it is no point of the space.
        """
        message = ctypes.create_string_buffer(1024)
        known = float("nan") if value is None else _check.number(value, "a value")
        code = _lib.prova_search_add(self._pointer, to_yaml(_check.mapping(params, "params")).encode(), known,
                                     self._number_at, message, len(message))
        _ffi.check(code, message.value.decode("utf-8", "replace"))
        return int(self._number.value)

    @property
    def best(self) -> Optional[Suggestion]:
        """The best point that was told; None: there is none."""
        number = _lib.prova_search_best(self._pointer, None)
        return Suggestion(number, json.loads(_lib.prova_search_json(self._pointer, number))) if number else None

    @property
    def best_value(self) -> Optional[float]:
        """Its value; None: there is none."""
        value = ctypes.c_double()
        return value.value if _lib.prova_search_best(self._pointer, ctypes.byref(value)) else None

    def __repr__(self) -> str:
        n, best = _lib.prova_search_count(self._pointer), self.best_value
        words = "" if best is None else f", best {best:.6g} with {self.best}"
        return f"<prova search: {n} point{'' if n == 1 else 's'}{words}>"

    def __del__(self) -> None:
        pointer, self._pointer = getattr(self, "_pointer", None), None
        if pointer:
            _lib.prova_search_free(pointer)

"""The C interface (`prova.h`), declared. The only module that knows of ctypes' types.

The library is looked for at $PROVA_LIBRARY, inside this package (a wheel), in a build folder of the source tree
that this file lies in, and where the system's loader looks.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p

from . import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Optional

VERSION = "0.1.0"

TRAIN_FN = CFUNCTYPE(c_int, c_void_p, c_void_p)
PROGRESS_FN = CFUNCTYPE(c_int, c_void_p, c_void_p)

_DECLARATIONS = {
    "prova_version": (c_char_p, []),
    "prova_strerror": (c_char_p, [c_int]),
    "prova_params_json": (c_char_p, [c_void_p]),
    "prova_budget": (c_int64, [c_void_p, c_int64]),
    "prova_done": (c_int64, [c_void_p]),
    "prova_report": (c_int, [c_void_p, c_int64, c_double]),
    "prova_report_metric": (c_int, [c_void_p, c_int64, c_char_p, c_double]),
    "prova_stopped": (c_int, [c_void_p]),
    "prova_finish": (c_int, [c_void_p, c_double]),
    # Variadic in C; called with the format "%s" and one string.
    "prova_fail": (c_int, [c_void_p, c_char_p, c_char_p]),
    "prova_trial_number": (c_int64, [c_void_p]),
    "prova_trial_attempt": (c_int64, [c_void_p]),
    "prova_trial_experiment": (c_char_p, [c_void_p]),
    "prova_trial_experiment_id": (c_char_p, [c_void_p]),
    "prova_trial_seed": (c_uint64, [c_void_p]),
    "prova_ablated_list": (c_char_p, [c_void_p]),
    "prova_rank": (c_int, [c_void_p]),
    "prova_world": (c_int, [c_void_p]),
    "prova_gang_json": (c_void_p, [c_void_p]),
    "prova_directory": (c_char_p, [c_void_p]),
    "prova_config_file": (c_void_p, [c_char_p]),
    "prova_config_text": (c_void_p, [c_char_p]),
    "prova_config_free": (None, [c_void_p]),
    "prova_config_error": (c_char_p, [c_void_p]),
    "prova_config_json": (c_char_p, [c_void_p]),
    "prova_config_set": (c_int, [c_void_p, c_char_p, c_char_p]),
    "prova_config_database": (c_int, [c_void_p, c_char_p]),
    "prova_config_driver": (c_int, [c_void_p, c_char_p]),
    "prova_config_wait": (c_int, [c_void_p, c_int]),
    "prova_config_worker": (c_int, [c_void_p, POINTER(c_char_p)]),
    "prova_config_resume": (c_int, [c_void_p, c_int]),
    "prova_config_progress": (c_int, [c_void_p, c_void_p, c_void_p, c_int]),
    "prova_lagom": (c_void_p, [TRAIN_FN, c_void_p, c_void_p]),
    "prova_result_free": (None, [c_void_p]),
    "prova_result_code": (c_int, [c_void_p]),
    "prova_result_error": (c_char_p, [c_void_p]),
    "prova_result_id": (c_char_p, [c_void_p]),
    "prova_result_name": (c_char_p, [c_void_p]),
    "prova_result_state": (c_char_p, [c_void_p]),
    "prova_result_best_trial": (c_int64, [c_void_p]),
    "prova_result_explanation": (c_char_p, [c_void_p]),
    "prova_result_best_value": (c_double, [c_void_p]),
    "prova_result_best_json": (c_char_p, [c_void_p]),
    "prova_result_count": (c_int64, [c_void_p, c_char_p]),
    "prova_result_limit": (c_int64, [c_void_p]),
    "prova_result_seconds": (c_double, [c_void_p]),
    "prova_search_new": (c_void_p, [c_char_p, c_char_p, c_char_p, c_char_p, c_uint64, c_char_p, c_size_t]),
    "prova_search_free": (None, [c_void_p]),
    "prova_search_ask": (c_int, [c_void_p, POINTER(c_int64)]),
    "prova_search_ask_many": (c_int64, [c_void_p, c_int64, POINTER(c_int64)]),
    "prova_search_count": (c_int64, [c_void_p]),
    "prova_search_state": (c_int, [c_void_p, c_int64]),
    "prova_search_value": (c_double, [c_void_p, c_int64]),
    "prova_search_save": (c_char_p, [c_void_p]),
    "prova_search_load": (c_void_p, [c_char_p, c_char_p, c_size_t]),
    "prova_search_json": (c_char_p, [c_void_p, c_int64]),
    "prova_search_tell": (c_int, [c_void_p, c_int64, c_double]),
    "prova_search_tell_step": (c_int, [c_void_p, c_int64, c_int64, c_double]),
    "prova_search_tell_failed": (c_int, [c_void_p, c_int64]),
    "prova_search_add": (c_int, [c_void_p, c_char_p, c_double, POINTER(c_int64), c_char_p, c_size_t]),
    "prova_search_best": (c_int64, [c_void_p, POINTER(c_double)]),
}

# What the library and the command are linked with.
_PACKAGES = "libzmq5 libczmq4 libmsgpackc2 libsqlite3-0 libgsl27 libopenblas0 libuuid1 libfyaml0 libjansson4"


def _tree() -> Optional[str]:
    """The source tree that this file lies in, if it does."""
    top = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    return top if os.path.exists(os.path.join(top, "sdk", "prova.h")) else None


def _candidates() -> Iterator[str]:
    given = os.environ.get("PROVA_LIBRARY")
    if given:
        yield given
        return
    here = os.path.dirname(os.path.abspath(__file__))
    yield os.path.join(here, "lib", "libprova.so.0")
    tree = _tree()
    if tree:
        for preset in ("release", "ci-gcc", "debug"):
            yield os.path.join(tree, "build", preset, "sdk", "libprova.so.0")
    yield "libprova.so.0"


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _DECLARATIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise errors.VersionError(
                f"the library {library._name} has no {name}: it is of another version than this Python package "
                f"({VERSION}); install both from one place") from None
        function.restype = result
        function.argtypes = arguments
    version = library.prova_version().decode()
    if version.split("+")[0] != VERSION:
        raise errors.VersionError(f"the library {library._name} is prova {version}, this Python package is {VERSION}: "
                                  "install both from one place")
    return library


def _load() -> ctypes.CDLL:
    tried = []
    for path in _candidates():
        if os.path.sep in path and not os.path.exists(path):
            tried.append(path)
            continue
        try:
            return _declare(ctypes.CDLL(path))
        except OSError as error:
            if os.path.sep in path:
                raise errors.NotFoundError(f"{path} is there and cannot be loaded: {error}. What it needs, on Debian 12: "
                                           f"apt-get install {_PACKAGES}") from None
            tried.append(path)
    raise errors.NotFoundError(
        "libprova is not found. Build it (`./run` in the source tree), install the package with "
        "`pip install ./sdk/python`, or name the library in PROVA_LIBRARY. Tried: " + "; ".join(tried))


library = _load()

_after_fork = ctypes.pythonapi.PyOS_AfterFork_Child
_after_fork.restype = None
_after_fork.argtypes = []


free = ctypes.CDLL(None).free
free.restype = None
free.argtypes = [c_void_p]


def after_fork() -> None:
    """Tells Python that the process was forked by C: its locks, and whoever asked for os.register_at_fork."""
    _after_fork()


def text(value: Optional[bytes]) -> str:
    """A string of the library; it may be cut in the middle of a character."""
    return value.decode("utf-8", "replace") if value else ""


def check(code: int, message: str = "") -> None:
    """Raises the exception of a negative code."""
    if code < 0:
        raise errors.from_code(code, message or text(library.prova_strerror(code)))


def command() -> str:
    """The `prova` command that belongs to the library."""
    given = os.environ.get("PROVA_BIN")
    if given:
        return given
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.path.join(here, "bin", "prova")]
    tree = _tree()
    if tree:
        places += [os.path.join(tree, "build", preset, "prova") for preset in ("release", "ci-gcc", "debug")]
    places.append(os.path.join(os.path.dirname(sys.executable), "prova"))
    for place in places:
        if os.access(place, os.X_OK):
            return place
    return "prova"


def holding_the_lock(name: str) -> Any:
    """A function of the library that is called without giving up the interpreter's lock."""
    function = getattr(ctypes.PyDLL(library._name), name)
    function.restype, function.argtypes = _DECLARATIONS[name]
    return function

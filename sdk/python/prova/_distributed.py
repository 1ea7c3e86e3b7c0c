"""A trial on several workers: what a framework needs so that a training function need not know of it.

Before the function is called the variables of the gang (RANK, MASTER_ADDR, ...; TF_CONFIG) are put into os.environ. If
PyTorch has been imported by then, or is by the generators, its process group is made, what the model generator returns
is wrapped, and loaders share their data (`_torch`). With TF_CONFIG and a model generator all runs in the scope of a
strategy, and datasets are shared (`_tensorflow`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from ctypes import c_char_p, cast
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Optional

from . import _ffi

if TYPE_CHECKING:
    from . import _tensorflow, _torch

_lib = _ffi.library


def _variables(handle: int) -> Dict[str, str]:
    pointer = _lib.prova_gang_json(handle)
    if not pointer:
        raise MemoryError("prova_gang_json")
    try:
        text = cast(pointer, c_char_p).value or b"{}"
    finally:
        _ffi.free(pointer)
    variables: Dict[str, str] = json.loads(text)
    return variables


@contextlib.contextmanager
def _environment(variables: Dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Gang:
    """This process's part in a trial that runs on several."""

    def __init__(self, handle: int, seed: int) -> None:
        self.rank: int = _lib.prova_rank(handle)
        self.world: int = _lib.prova_world(handle)
        self._handle = handle
        self._seed = seed
        self._variables = _variables(handle)
        self._torch: Optional[_torch.Group] = None
        self._tensorflow: Optional[_tensorflow.Group] = None

    @property
    def stops(self) -> bool:
        """Whether this rank ends now, because the trial is asked to stop: when all have agreed, or of itself where nobody
        would wait for it. Where ranks wait for each other and have no way to agree rank 0 ends, and the others are ended."""
        group = self._torch or self._tensorflow
        if group is not None and group.decides:
            return group.has_agreed
        return self._is_stopped() and (self._tensorflow is None or self.rank == 0)

    def _is_stopped(self) -> bool:
        return bool(_lib.prova_stopped(self._handle))

    def agree(self) -> None:
        """What callbacks of Keras do before they report: all ranks do it, and end at the same epoch."""
        if self._tensorflow is not None:
            self._tensorflow.agree()

    @contextlib.contextmanager
    def running(self, has_model: bool) -> Iterator[None]:
        """For as long as the function runs: the variables, and the frameworks' own connections."""
        with _environment(self._variables), self._strategy() if has_model else contextlib.nullcontext():
            try:
                self._join()
                yield
            finally:
                group, self._torch, self._tensorflow = self._torch, None, None
                if group is not None:
                    group.leave()

    def make(self, kind: str, generate: Callable[[], Any]) -> Any:
        """Calls a generator, and makes what it has made that of several workers."""
        self._join()
        made = generate()
        self._join()  # the generator may have been the first to import PyTorch
        if kind == "model" and self._torch is not None:
            return self._torch.wrap(made)
        if kind == "dataset" and self._tensorflow is not None:
            from . import _tensorflow
            return _tensorflow.share(made)
        return made

    def _join(self) -> None:
        """Makes PyTorch's process group, if PyTorch is here to be used."""
        if self._torch is not None or "torch" not in sys.modules or "MASTER_PORT" not in self._variables:
            return
        from torch import distributed
        if distributed.is_available():
            from . import _torch
            self._torch = _torch.Group(self._variables, self._seed, self._is_stopped)

    def _strategy(self) -> "contextlib.AbstractContextManager[Any]":
        """TensorFlow's, which must be there before anything else of TensorFlow is used. Not with parameter servers: their
        strategy is the function's own."""
        config = json.loads(self._variables.get("TF_CONFIG", "{}"))
        if not config or "ps" in config["cluster"] or importlib.util.find_spec("tensorflow") is None:
            return contextlib.nullcontext()
        from . import _tensorflow
        self._tensorflow = _tensorflow.Group(self._is_stopped)
        return self._tensorflow.scope()

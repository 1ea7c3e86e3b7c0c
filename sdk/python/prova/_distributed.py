"""A trial on several workers: what a framework needs so that a training function need not know of it.

Before the function is called the variables of the gang (RANK, MASTER_ADDR, ...; TF_CONFIG) are put into os.environ. If
PyTorch has been imported by then, or is by the generators, its process group is made; what the model generator returns
is wrapped in DistributedDataParallel, and every DataLoader that is made gets a DistributedSampler whose epoch advances
with each pass.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from ctypes import c_char_p, cast
from typing import Any, Iterator

from . import _ffi

_lib = _ffi.library


def _variables(handle: int) -> "dict[str, str]":
    pointer = _lib.prova_gang_json(handle)
    if not pointer:
        raise MemoryError("prova_gang_json")
    try:
        text = cast(pointer, c_char_p).value or b"{}"
    finally:
        _ffi.free(pointer)
    variables: "dict[str, str]" = json.loads(text)
    return variables


class Gang:
    """This process's part in a trial that runs on several."""

    def __init__(self, handle: int) -> None:
        self.rank: int = _lib.prova_rank(handle)
        self.world: int = _lib.prova_world(handle)
        self._variables = _variables(handle)
        self._has_group = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """For as long as the function runs: the variables, PyTorch's loaders, and its process group."""
        before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)
        try:
            if "torch" in sys.modules:
                self.join()
            yield
        finally:
            self._leave()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def join(self) -> None:
        """Makes PyTorch's process group, once. NCCL if every member of this host has a GPU of its own, else gloo."""
        import torch
        from torch import distributed
        if self._has_group or not distributed.is_available() or "MASTER_PORT" not in self._variables:
            return
        local_world = int(self._variables.get("LOCAL_WORLD_SIZE", "1"))
        has_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= local_world
        if has_gpus:
            torch.cuda.set_device(int(self._variables["LOCAL_RANK"]))
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if has_gpus and distributed.is_nccl_available() else "gloo")
            self._has_group = True
        _patch_loaders()

    def _leave(self) -> None:
        if self._has_group:
            from torch import distributed
            self._has_group = False
            if distributed.is_initialized():
                distributed.destroy_process_group()
        _restore_loaders()

    def wrap(self, model: Any) -> Any:
        """A PyTorch module in DistributedDataParallel; anything else as it is."""
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(model, torch.nn.Module) or "MASTER_PORT" not in self._variables:
            return model
        self.join()
        if not any(parameter.requires_grad for parameter in model.parameters()):
            return model
        if torch.cuda.is_available() and torch.distributed.get_backend() == "nccl":
            device = int(self._variables["LOCAL_RANK"])
            return torch.nn.parallel.DistributedDataParallel(model.cuda(device), device_ids=[device])
        return torch.nn.parallel.DistributedDataParallel(model)


# The loaders

_patched: Any = None


def _patch_loaders() -> None:
    """From now on a DataLoader without a sampler of its own gives each rank its share."""
    global _patched
    if _patched is not None:
        return
    from torch.utils import data
    loader = data.DataLoader
    make, iterate = loader.__init__, loader.__iter__

    def init(self: Any, dataset: Any, batch_size: Any = 1, shuffle: Any = None, sampler: Any = None,
             batch_sampler: Any = None, *arguments: Any, **named: Any) -> None:
        is_ours = sampler is None and batch_sampler is None and not isinstance(dataset, data.IterableDataset)
        if is_ours:
            sampler = data.distributed.DistributedSampler(dataset, shuffle=bool(shuffle),
                                                          drop_last=bool(named.get("drop_last", False)))
            shuffle = None
        make(self, dataset, batch_size, shuffle, sampler, batch_sampler, *arguments, **named)
        self.__dict__["_prova_epoch"] = 0 if is_ours else None

    def each(self: Any) -> Any:
        epoch = self.__dict__.get("_prova_epoch")
        if epoch is not None:
            self.sampler.set_epoch(epoch)
            self.__dict__["_prova_epoch"] = epoch + 1
        return iterate(self)

    _patched = (loader, make, iterate)
    loader.__init__, loader.__iter__ = init, each


def _restore_loaders() -> None:
    global _patched
    if _patched is not None:
        loader, make, iterate = _patched
        loader.__init__, loader.__iter__ = make, iterate
        _patched = None

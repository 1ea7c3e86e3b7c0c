"""PyTorch in a gang: the process group, the model in DistributedDataParallel, and loaders that share their batches.

The sizes that a training function names are those of the whole, so that hyperparameters found on one worker hold on
several: a DataLoader's `batch_size` is divided among the ranks. DistributedDataParallel averages gradients over ranks,
which makes the step of one rank with the whole batch.
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from typing import Any, Callable, Iterator, List, Mapping, Optional

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils import data

from .errors import EarlyStop


def choose_backend(local_world: int) -> str:
    """NCCL if every member on this host can have a GPU of its own, else gloo.

    Args:
        local_world: How many members there are on this host, at least 1.

    >>> choose_backend(10 ** 6)
    'gloo'
    """
    has_gpus = torch.cuda.is_available() and torch.cuda.device_count() >= local_world
    return "nccl" if has_gpus and distributed.is_nccl_available() else "gloo"


class Parallel(DistributedDataParallel):  # type: ignore[misc]
    """A model of several ranks whose state is that of the model within, so that checkpoints of one rank and of several
    are the same, and which tells what it is of its attributes."""

    def __init__(self, module: torch.nn.Module, group: Group, **options: Any) -> None:
        super().__init__(module, **options)
        self._prova_group = group

    def forward(self, *arguments: Any, **named: Any) -> Any:
        if self.training and torch.is_grad_enabled():
            self._prova_group.agree()
        return super().forward(*arguments, **named)

    def state_dict(self, *arguments: Any, **named: Any) -> Any:
        return self.module.state_dict(*arguments, **named)

    def load_state_dict(self, *arguments: Any, **named: Any) -> Any:
        return self.module.load_state_dict(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        """What the model within has; but its parts and methods cannot be called by themselves, since gradients would
        then stay on their rank."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            value = getattr(self.module, name)
        if callable(value):
            raise AttributeError(f"this model runs on several workers and is called as a whole: its '{name}' is reached by "
                                 f"getattr(model, 'module', model).{name}")
        return value


class Group:
    """This process's membership in PyTorch's process group, and what hangs on it."""

    def __init__(self, variables: Mapping[str, str], seed: int, is_stopped: Callable[[], bool]) -> None:
        self.seed = seed
        self.has_agreed = False
        self._is_stopped = is_stopped
        self._models: List[Any] = []
        self._local_rank = int(variables["LOCAL_RANK"])
        local_world = int(variables["LOCAL_WORLD_SIZE"])
        self._backend = choose_backend(local_world)
        if local_world > 1 and "OMP_NUM_THREADS" not in os.environ:  # else each would use all processors
            torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // local_world))
        if self._backend == "nccl":
            torch.cuda.set_device(self._local_rank)
        self._is_ours, self._hook = not distributed.is_initialized(), sys.excepthook
        if self._is_ours:
            distributed.init_process_group(self._backend)
        # A group of its own, on processors: an answer from a GPU would have to be waited for.
        self._stops = distributed.new_group(backend="gloo")
        self._flag, self._asked = torch.zeros(1), None
        _share_loaders(self)

    def leave(self) -> None:
        """Ends it, once the function has returned. A model that is the last to let go of a process group joins a thread
        of it without giving up the interpreter, and the two may wait for each other for ever; so models go first."""
        _share_loaders(None)
        gc.collect()
        if self._is_ours and distributed.is_initialized():
            distributed.destroy_process_group()
            sys.excepthook = self._hook  # PyTorch's says the rank, once more with each group

    @property
    def decides(self) -> bool:
        """Whether a stop is a matter of all ranks: once there is a model that they train together."""
        return bool(self._models)

    def agree(self) -> None:
        """Tells the others, behind a step of training that all take, whether this rank is asked to stop. Each hears of it
        at its own time, and who left at once would leave the others waiting. All know at the same step, and leave with
        the next report, or else the step after.

        Raises:
            EarlyStop: they knew by the last step.
        """
        if self.has_agreed:
            raise EarlyStop("the trial is asked to stop")
        if self._asked is not None:
            self._asked.wait()
            self.has_agreed = bool(self._flag)
        self._flag.fill_(float(self._is_stopped()))
        self._asked = distributed.all_reduce(self._flag, distributed.ReduceOp.MAX, self._stops, async_op=True)

    def wrap(self, model: Any) -> Any:
        """A module in DistributedDataParallel, unless there is nothing to be learnt in it; anything else as it is."""
        if not isinstance(model, torch.nn.Module) or isinstance(model, DistributedDataParallel) or \
                not any(parameter.requires_grad for parameter in model.parameters()):
            return model
        if self._backend == "nccl":
            parallel = Parallel(model.cuda(self._local_rank), self, device_ids=[self._local_rank])
        else:
            parallel = Parallel(model, self)
        self._models.append(weakref.ref(parallel))
        return parallel

    def is_evaluating(self) -> bool:
        """Whether what is read now is not learnt from: gradients are off, or the model is in its evaluation mode."""
        models = [model for model in (reference() for reference in self._models) if model is not None]
        return not torch.is_grad_enabled() or (bool(models) and not any(model.training for model in models))


# Loaders

_group: Optional[Group] = None
_make_loader = data.DataLoader.__init__


class Indices:
    """The batches (or items) of a loader: of one that is learnt from this rank's part, in a new order in each pass; of
    one that is evaluated all, so that every rank has the same figures, and the ones that a single rank has."""

    def __init__(self, loader: Any, group: Group, shuffle: bool) -> None:
        self._group = group
        self._epoch = 0
        self._sampler = data.distributed.DistributedSampler(loader.dataset, shuffle=shuffle, seed=group.seed,
                                                            drop_last=loader.drop_last)
        self._whole = loader.batch_sampler
        if self._whole is None:
            self._whole, self._part = loader.sampler, self._sampler
        else:
            size = -(-loader.batch_size // self._sampler.num_replicas)
            self._part = data.BatchSampler(self._sampler, size, loader.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self._group.is_evaluating():
            return iter(self._whole)
        self._sampler.set_epoch(self._epoch)
        self._epoch += 1
        return iter(self._part)

    def __len__(self) -> int:
        return len(self._whole if self._group.is_evaluating() else self._part)


def _init(self: Any, dataset: Any, batch_size: Any = 1, shuffle: Any = None, sampler: Any = None,
          batch_sampler: Any = None, *arguments: Any, **named: Any) -> None:
    """DataLoader.__init__ in a gang. Whoever gives a sampler has shared the data by himself."""
    _make_loader(self, dataset, batch_size, shuffle, sampler, batch_sampler, *arguments, **named)
    if _group is None or sampler is not None or batch_sampler is not None or \
            isinstance(dataset, data.IterableDataset) or not hasattr(dataset, "__len__"):
        return
    # Not by assignment, which loaders refuse once they are made.
    self.__dict__["sampler" if self.batch_sampler is None else "batch_sampler"] = Indices(self, _group, bool(shuffle))


def _share_loaders(group: Optional[Group]) -> None:
    """Whether loaders made from now on are shared."""
    global _group
    _group = group
    data.DataLoader.__init__ = _make_loader if group is None else _init


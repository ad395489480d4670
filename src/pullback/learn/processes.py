"""Processes: how many of them train together, started by `torchrun`; one, and no cost, without it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from pullback.errors import InputError
from pullback.typing import Tensor


@dataclass(frozen=True)
class Processes:
    """Who this process is among those that train one network.

    Attributes:
        rank: from 0; the first one writes the files.
        count: how many there are.
        device: where this one computes.
    """

    rank: int
    count: int
    device: str

    @property
    def first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def share(self, numbers: range) -> list[int]:
        """Which of the numbers of a step are this process's: so that all together see what one alone would."""
        return list(numbers[self.rank :: self.count])

    def average(self, tensors: Iterable[Tensor | None]) -> None:
        """Replace each by its mean over the processes, in place, in one message."""
        if self.count == 1:
            return
        parts = [tensor for tensor in tensors if tensor is not None]
        whole = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(whole)
        whole /= self.count
        for part, mean in zip(parts, torch.split(whole, [p.numel() for p in parts]), strict=True):
            part.copy_(mean.view_as(part))

    def told(self, number: float) -> float:
        """The number that the first process has."""
        if self.count == 1:
            return number
        sent = torch.tensor([number], dtype=torch.float64, device="cpu" if self.device == "cpu" else self.device)
        distributed.broadcast(sent, 0)
        return float(sent)


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone.

    Args:
        device: cpu or cuda; each process of a machine takes a GPU of its own.

    Raises:
        InputError: torchrun's variables are not whole.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, device)
        return
    missing = {"RANK", "MASTER_ADDR", "MASTER_PORT"} - set(os.environ)
    if missing:
        raise InputError(f"WORLD_SIZE is {count}, but {', '.join(sorted(missing))} is not set; start it with torchrun")
    rank = int(os.environ["RANK"])
    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
    distributed.init_process_group("nccl" if own.startswith("cuda") else "gloo", rank=rank, world_size=count)
    try:
        yield Processes(rank, count, own)
    finally:
        distributed.destroy_process_group()

"""Large tensors whose memory is used again.

A fresh volume costs more than the work done on it: the system hands it over page by page, each wiped first (measured:
40 ms for a field of 99 MB that is written in 3 ms). Inside `reused()` the kernels' results take the memory of results
that nobody holds any more.
"""

from __future__ import annotations

import math
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch

from pullback.ops import _native
from pullback.typing import Tensor

SMALLEST = 1 << 16
"""Tensors of fewer numbers than this are torch's own business."""
_ALIGNED = 16

_store: ContextVar[_Store | None] = ContextVar("memory to use again", default=None)


class _Store:
    """Memory that nobody holds, by its size; once closed it keeps nothing."""

    def __init__(self) -> None:
        self.free: dict[int, list[np.ndarray]] = defaultdict(list)
        self.open = True

    def take(self, count: int) -> np.ndarray:
        """Memory for so many numbers and a little more."""
        return self.free[count].pop() if self.free[count] else np.empty(count + _ALIGNED, np.float32)

    def give(self, count: int, memory: np.ndarray) -> None:
        """Memory whose tensor is gone."""
        if self.open:
            self.free[count].append(memory)

    def close(self) -> None:
        """Give everything back to the system."""
        self.open = False
        self.free.clear()
        _native.trim()


@contextmanager
def reused() -> Iterator[None]:
    """Inside the `with`, memory of results that were dropped is used for new ones; given back at its end."""
    store = _Store()
    token = _store.set(store)
    try:
        yield
    finally:
        _store.reset(token)
        store.close()


def empty(*shape: int) -> Tensor:
    """A float32 tensor on the CPU with whatever numbers lie in its memory."""
    count, store = math.prod(shape), _store.get()
    if store is None or count < SMALLEST:
        return torch.empty(*shape)
    memory = store.take(count)
    first = -(memory.ctypes.data // 4) % _ALIGNED  # vectors of 64 bytes that lie across two cache lines read slower
    lease = memory[first : first + count].reshape(shape)
    weakref.finalize(lease, store.give, count, memory)
    return torch.from_numpy(lease)

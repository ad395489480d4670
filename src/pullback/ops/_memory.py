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

from pullback.typing import Tensor

SMALLEST = 1 << 16
"""Tensors of fewer numbers than this are torch's own business."""
_ALIGNED = 16

_free: ContextVar[dict[int, list[np.ndarray]] | None] = ContextVar("memory to use again", default=None)


@contextmanager
def reused() -> Iterator[None]:
    """Inside the `with`, memory of results that were dropped is used for new ones; given back at its end."""
    token = _free.set(defaultdict(list))
    try:
        yield
    finally:
        _free.reset(token)


def empty(*shape: int) -> Tensor:
    """A float32 tensor on the CPU with whatever numbers lie in its memory."""
    count, free = math.prod(shape), _free.get()
    if free is None or count < SMALLEST:
        return torch.empty(*shape)
    memory = free[count].pop() if free[count] else np.empty(count + _ALIGNED, np.float32)
    first = -(memory.ctypes.data // 4) % _ALIGNED  # vectors of 64 bytes that lie across two cache lines read slower
    lease = memory[first : first + count].reshape(shape)
    weakref.finalize(lease, free[count].append, memory)
    return torch.from_numpy(lease)

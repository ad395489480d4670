"""The Triton kernels for NVIDIA GPUs: whether they can run, where, and how they are started.

The kernels stand in `_triton`, whose modules import triton: they are loaded by name, on first use, so that nobody else
waits for it. With TRITON_INTERPRET=1 Triton runs them on CPU tensors by NumPy: slow, but it checks every one of them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from pullback.typing import Shape, Tensor

MOST = 2**31 - 1
"""Places in memory are counted in 32 bits."""


@cache
def interpreted() -> bool:
    """Whether Triton's interpreter was asked for."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def missing() -> str | None:
    """Why the Triton kernels cannot run here; None when they can."""
    if find_spec("triton") is None:
        return "triton is not installed; CUDA builds of torch for Linux bring it, else: pip install 'pullback[gpu]'"
    if interpreted() or torch.cuda.is_available():
        return None
    return "there is no CUDA device (TRITON_INTERPRET=1 runs these kernels on the CPU, slowly, to check them)"


def suits(*tensors: Tensor) -> bool:
    """Whether the kernels can work on these tensors: single precision, on one GPU, not too large for their indices."""
    device = tensors[0].device
    if device.type != "cuda" and not (device.type == "cpu" and interpreted()):
        return False
    return all(t.device == device and t.dtype == torch.float32 and t.numel() <= MOST for t in tensors)


@cache
def kernels(name: str) -> Any:
    """A module of kernels."""
    return importlib.import_module(f"pullback.ops._triton.{name}")


def on(tensor: Tensor) -> AbstractContextManager[Any]:
    """Where a tensor's kernels must be started."""
    device = tensor.device
    if device.type != "cuda" or device.index == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(device)


def blocks(count: int, block: int) -> int:
    """How many blocks hold so many numbers."""
    return -(-count // block)


def loops(blocks_: int, least: int = 4, programs: int = 1056) -> int:
    """So many blocks for each program that there are no more programs than keep a GPU busy."""
    return max(least, blocks(blocks_, programs))


def size3(shape: Sequence[int]) -> Shape:
    """A spatial shape as (slices, rows, columns)."""
    return (*[1] * (3 - len(shape)), *shape)


def whole(values: Tensor, times: int = 1) -> Tensor:
    """A power of two, on their device, that makes of values whole numbers whose sums stay within 63 bits.

    Whole numbers add up to the same in any order, so that threads may add as they come. At least 31 bits are left for
    the largest value: more than single precision has. Values that are not finite make the power not a number.
    """
    room = 62 - (values[0].numel() * times).bit_length()
    most = values.detach().abs().max().clamp(min=1e-18)
    return torch.exp2(room - torch.ceil(torch.log2(most))) + 0 * most

"""`largest` by the compiled kernels, in one pass."""

import ctypes

import torch

from pullback.ops import _native
from pullback.typing import Float, Tensor

available = _native.missing


def supports(field: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return field.device.type == "cpu" and field.dtype == torch.float32 and field.numel() > 0


def largest(field: Float[Tensor, "d *spatial"]) -> float:
    """See `pullback.ops.largest`."""
    field = field.detach().contiguous()
    count = ctypes.c_int64(field[0].numel())
    return float(_native.loaded().pb_largest(_native.pointer(field), len(field), count, _native.threads()))

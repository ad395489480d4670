"""The compiled CPU kernels: found beside the package, loaded once, called through ctypes.

The library speaks a plain C interface (`native/pullback.h`) and links neither Python nor torch; tensors are handed over
as pointers to contiguous float32, sizes as (slices, rows, columns) with one slice for a 2-D image.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path

import torch

import pullback
from pullback.typing import Float, Matrix, Shape, Tensor

VERSION = 8
_NAME = {"win32": "pullback_native.dll", "darwin": "libpullback_native.dylib"}.get(
    sys.platform, "libpullback_native.so"
)


@cache
def library() -> ctypes.CDLL | None:
    """The library, or None where it was not built."""
    for folder in pullback.__path__:
        path = Path(folder) / "_native" / _NAME
        if path.is_file():
            found = ctypes.CDLL(str(path))
            if found.pb_version() == VERSION:
                found.pb_lncc.restype = ctypes.c_double
                found.pb_sampled_mse.restype = ctypes.c_double
                found.pb_largest.restype = ctypes.c_float
                found.pb_instruction_set.restype = ctypes.c_char_p
                return found
    return None


def missing() -> str | None:
    """Why the compiled kernels cannot run here; None when they can."""
    if library() is None:
        return "the compiled kernels were not built: no C++ compiler was found when pullback was installed"
    return None


def instruction_set() -> str:
    """Which processor instructions the kernels use, for example "avx512"."""
    found = library()
    return "none" if found is None else str(found.pb_instruction_set().decode())


def loaded() -> ctypes.CDLL:
    """The library, where it is known to be there."""
    found = library()
    assert found is not None
    return found


def trim() -> None:
    """Have the C library give freed memory back to the system."""
    found = library()
    if found is not None:
        found.pb_trim()


def suits(*tensors: Tensor) -> bool:
    """Whether the kernels can work on these tensors: single precision, on the CPU, not too large for their indices."""
    return all(
        t.device.type == "cpu" and t.dtype == torch.float32 and t[:1, :1].numel() < 2**31 and t.ndim in (4, 5)
        for t in tensors
    )


def pointer(tensor: Tensor | None) -> ctypes.c_void_p | None:
    """Where a tensor's numbers lie; the caller keeps it alive, and contiguous."""
    return None if tensor is None else ctypes.c_void_p(tensor.data_ptr())


def size3(shape: Shape) -> ctypes.Array[ctypes.c_int64]:
    """A spatial shape as (slices, rows, columns)."""
    return (ctypes.c_int64 * 3)(*([1] * (3 - len(shape))), *shape)


def double(matrix: Float[Tensor, "..."]) -> Matrix:
    """A small matrix as the kernels take it."""
    return matrix.detach().to("cpu", torch.float64).contiguous()


def threads() -> int:
    """As many as torch uses: one setting for all."""
    return torch.get_num_threads()

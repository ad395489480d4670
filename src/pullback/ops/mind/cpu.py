"""`mind` by the compiled kernels, where no gradient is asked for: descriptors are computed once and then read."""

import ctypes

import torch

from pullback.ops import _native
from pullback.ops.mind import Pairs
from pullback.ops.mind.reference import LEAST, MOST, TINY
from pullback.typing import Batch, Shape, Tensor

available = _native.missing


def supports(image: Tensor) -> bool:
    """See `pullback.ops._dispatch`; the gradient is the reference's."""
    return _native.suits(image) and not (torch.is_grad_enabled() and image.requires_grad)


def mind(image: Batch, radius: Shape, pairs: Pairs) -> Batch:
    """See `pullback.ops.mind`."""
    image = image.contiguous()
    b, c, *size = image.shape
    d = len(size)
    result = image.new_empty(b, c * len(pairs), *size)
    flat = [number for pair in pairs for offset in pair for number in (*[0] * (3 - d), *offset)]
    reads = (ctypes.c_int * len(flat))(*flat)
    radii = (ctypes.c_int * 3)(*[0] * (3 - d), *radius)
    limits = (ctypes.c_float * 3)(LEAST, MOST, TINY)
    for one, into in zip(image.flatten(0, 1), result.view(b * c, len(pairs), *size), strict=True):
        _native.loaded().pb_mind(
            _native.pointer(one),
            _native.size3(tuple(size)),
            reads,
            len(pairs),
            radii,
            limits,
            _native.pointer(into),
            _native.threads(),
        )
    return result

"""`pair_sums` by the compiled kernels: one pass, and nothing the size of an image is written."""

import ctypes

import torch

from pullback.ops import _native
from pullback.ops._reading import Reading
from pullback.ops.pair_sums import PairSums
from pullback.typing import Batch, Matrix

available = _native.missing
supports = _native.suits


def pair_sums(
    fixed: Batch,
    moving: Batch,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix | None,
    weight: Batch | None,
    level: float,
) -> PairSums:
    """See `pullback.ops.pair_sums`."""
    d = matrix.shape[0]
    mix = torch.eye(d, dtype=torch.float64) if mix is None else mix
    at = Reading.contiguous(matrix, displacement, mix, tuple(fixed.shape[2:]), None)
    fixed, moving = fixed.detach().contiguous(), moving.detach().contiguous()
    weight = None if weight is None else weight.detach().contiguous()
    sizes = (6, 3 * d * (d + 1), 3 * d * d, (d * (d + 1)) ** 2)
    sums = torch.empty(sum(sizes), dtype=torch.float64)
    _native.loaded().pb_pair_sums(
        _native.pointer(fixed),
        _native.pointer(moving),
        _native.size3(tuple(moving.shape[2:])),
        *at.arguments(0),
        _native.pointer(weight),
        ctypes.c_float(level),
        _native.pointer(sums),
        _native.threads(),
    )
    moments, by_matrix, by_mix, curvature = torch.split(sums, list(sizes))
    return PairSums(moments, by_matrix.view(3, d, d + 1), by_mix.view(3, d, d), curvature.view(d, d + 1, d, d + 1))

"""Which control points matter to a voxel, and how much: along each axis, up to four of them."""

from functools import lru_cache

import torch

from pullback.ops.sample import bspline
from pullback.typing import Float, Int, Tensor

TAPS = 4
"""Control points along an axis that matter to one position."""


@lru_cache(maxsize=64)
def window(n: int, m: int, scale: float, offset: float) -> tuple[Int[Tensor, " n"], Float[Tensor, "n taps"]]:
    """For each of n voxels on a line, the first of the (up to four) of m control points that matter, and their weights.

    Control points beyond the ends stand for the last ones there, whose weights they are added to. Float64.
    """
    at = (torch.arange(n, dtype=torch.float64) * scale + offset).clamp(-TAPS, m + TAPS)
    cell = at.floor()
    taps = min(TAPS, m)
    first = (cell.long() - 1).clamp(0, m - taps)
    reads = (cell.long()[:, None] + torch.arange(-1, 3)).clamp(0, m - 1) - first[:, None]
    weights = torch.zeros(n, taps, dtype=torch.float64)
    return first, weights.scatter_add(1, reads, bspline.weights(at - cell).T)


@lru_cache(maxsize=64)
def matrix(n: int, m: int, scale: float, offset: float) -> Float[Tensor, "n m"]:
    """Float64: m coefficients on a line -> the spline at n voxels."""
    first, weights = window(n, m, scale, offset)
    columns = first[:, None] + torch.arange(weights.shape[1])
    return torch.zeros(n, m, dtype=torch.float64).scatter_add(1, columns, weights)

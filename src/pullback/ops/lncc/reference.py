"""`lncc`, defined in torch."""

import math
from functools import lru_cache

import torch

from pullback.ops._lines import along
from pullback.typing import Batch, Float, Shape, Tensor


def lncc(
    fixed: Float[Tensor, "_b c *spatial"],
    warped: Float[Tensor, "_b c *spatial"],
    radius: Shape,
    weight: Float[Tensor, "_b 1 *spatial"] | None,
    floor: float,
    threshold: float,
) -> Float[Tensor, " b"]:
    """See `pullback.ops.lncc`."""
    weight = torch.ones_like(fixed[:1, :1]) if weight is None else weight
    level = fixed.mean()
    i, j = fixed - level, warped - level  # a variance is a small difference of squares: keep these small
    n = box_sum(weight, radius).clamp(min=1e-6)
    mean_i, mean_j = box_sum(weight * i, radius) / n, box_sum(weight * j, radius) / n
    cov = box_sum(weight * i * j, radius) / n - mean_i * mean_j
    var_i = (box_sum(weight * i * i, radius) / n - mean_i**2).clamp(min=0)
    var_j = (box_sum(weight * j * j, radius) / n - mean_j**2).clamp(min=0)
    cov = cov + floor
    squared = cov * cov.abs() / ((var_i + floor) * (var_j + floor))
    if threshold < math.inf:
        unlike = 1 - squared
        squared = 1 - (1 + 1 / threshold) * unlike / (1 + unlike / threshold)
    axes = tuple(range(1, squared.ndim))
    total = (weight * squared).sum(dim=axes) / (weight.sum(dim=axes) * fixed.shape[1]).clamp(min=1e-6)
    return 1 - total


def box_sum(image: Batch, radius: Shape) -> Batch:
    """Sum over the box of 2 r + 1 voxels around each voxel, cut off at the border."""
    for axis, r in enumerate(radius, start=2):
        if r > 0 and image.shape[axis] > 1:
            image = along(box_matrix(image.shape[axis], r), image, axis)
    return image


@lru_cache(maxsize=64)
def box_matrix(n: int, r: int) -> Float[Tensor, "n n"]:
    """Float64: one where two of n voxels on a line are at most r apart, zero elsewhere."""
    at = torch.arange(n)
    return ((at[:, None] - at).abs() <= r).to(torch.float64)

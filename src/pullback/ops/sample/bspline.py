"""Interpolating cubic B-splines: the prefilter and the four weights.

Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing Magazine 16(6), 1999. The image
is continued by mirroring about its first and last voxel centres, as ITK and scipy (`mode="mirror"`) do.
"""

import math
from functools import lru_cache

import torch

from pullback.ops._lines import along
from pullback.typing import Batch, Float, Shape, Tensor

POLE = math.sqrt(3) - 2


@lru_cache(maxsize=64)
def prefilter_matrix(n: int) -> Float[Tensor, "n n"]:
    """Float64: samples along an axis of n voxels -> B-spline coefficients, ends mirrored.

    The inverse of the tridiagonal interpolation condition (c[i-1] + 4 c[i] + c[i+1]) / 6 = f[i].
    """
    if n == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    condition = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        condition[i, i] += 4 / 6
        for neighbour in (i - 1, i + 1):
            condition[i, n - 1 - abs(n - 1 - abs(neighbour))] += 1 / 6
    inverse: Tensor = torch.linalg.inv(condition)
    return inverse


def coefficients(image: Batch) -> Batch:
    """B-spline coefficients of the image along every spatial axis; differentiable."""
    for axis in range(2, image.ndim):
        image = along(prefilter_matrix(image.shape[axis]), image, axis)
    return image


def weights(t: Float[Tensor, "*shape"]) -> Float[Tensor, "4 *shape"]:
    """The four cubic B-spline weights at the fractional position t."""
    return torch.stack(
        [(1 - t) ** 3 / 6, (4 - 6 * t**2 + 3 * t**3) / 6, (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6, t**3 / 6]
    )


def mirrored(index: Float[Tensor, "b d *shape"], size: Shape) -> Float[Tensor, "b d *shape"]:
    """Whole-number positions reflected about the first and last voxel centres."""
    parts = []
    for axis, n in enumerate(size):
        i = index[:, axis].abs()
        parts.append((n - 1) - ((n - 1) - i).abs() if n > 1 else torch.zeros_like(i))
    return torch.stack(parts, dim=1)

"""One matrix for every line of voxels along an axis: filters and box sums as products.

A convolution with its edge rule is a banded matrix. Written so it is exact at the edges and loses no digits to running
totals; and up to some hundreds of voxels a line, the zeros cost less than a convolution's copies (measured: ten times
less than torch's own on a CPU).
"""

import math
from functools import lru_cache

import torch

from pullback.typing import Float, Shape, Tensor


def along(matrix: Float[Tensor, "m n"], image: Float[Tensor, "*_size"], axis: int) -> Float[Tensor, "*_size"]:
    """Each line of n voxels of `image` along an axis, replaced by matrix @ line, of m voxels."""
    matrix, size = _like(matrix, image.dtype, image.device), image.shape
    if axis == image.ndim - 1:
        return image @ matrix.T
    lines = image.reshape(math.prod(size[:axis]), size[axis], -1)
    return torch.matmul(matrix, lines).reshape(*size[:axis], matrix.shape[0], *size[axis + 1 :])


@lru_cache(maxsize=64)
def _like(matrix: Float[Tensor, "m n"], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "m n"]:
    """The matrix where and as it is needed, copied there once: those who make matrices keep them."""
    return matrix.to(device, dtype)


@lru_cache(maxsize=64)
def linear_reading(n: int, m: int) -> Float[Tensor, "m n"]:
    """Float64: a line of n voxels read linearly at m voxels over the same field of view, its ends repeated."""
    if n == m:
        return torch.eye(n, dtype=torch.float64)
    factor = n / m
    at = (torch.arange(m, dtype=torch.float64) * factor + (factor - 1) / 2).clamp(0, n - 1)
    low = at.floor().long()
    matrix = torch.zeros(m, n, dtype=torch.float64)
    matrix.scatter_(1, low[:, None], (1 - (at - low))[:, None])
    return matrix.scatter_add_(1, (low + 1).clamp(max=n - 1)[:, None], (at - low)[:, None])


def refined(field: Float[Tensor, "*_size"], shape: Shape) -> Float[Tensor, "*_fine"]:
    """A field (b, D, *coarse) read linearly on a grid of `shape` over the same field of view, its edge repeated.

    What is not a number stays in its neighbourhood, where a product with `linear_reading` would spread it.
    """
    for axis in (len(shape), *range(2, len(shape)), len(shape) + 1):  # as the kernels: rows, slices, then columns
        n, m = field.shape[axis], shape[axis - 2]
        if n == m:
            continue
        factor = n / m
        at = (torch.arange(m, dtype=torch.float64, device="cpu") * factor + (factor - 1) / 2).clamp(0, n - 1)
        low = at.floor().clamp(max=max(n - 2, 0)).long()
        share = (at - low).to(field).view([m if a == axis else 1 for a in range(field.ndim)])
        after = (low + 1).clamp(max=n - 1).to(field.device)
        field = field.index_select(axis, low.to(field.device)) * (1 - share) + field.index_select(axis, after) * share
    return field

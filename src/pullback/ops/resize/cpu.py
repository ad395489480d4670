"""`resize` by the compiled kernels: smoothing and reading are one banded matrix along each axis.

The gradient is the transposed matrices, applied by the same kernel.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops.smooth.reference import smoothing_matrix
from pullback.typing import Batch, Float, Int, Shape, Tensor

available = _native.missing


@dataclass(frozen=True)
class _Band:
    """The rows of a banded matrix, cut out from their first weight that is not zero."""

    first: Int[Tensor, " m"]
    weights: Float[Tensor, "m w"]

    @classmethod
    def of(cls, matrix: Float[Tensor, "m n"]) -> "_Band":
        """The band of a dense matrix."""
        n, filled = matrix.shape[1], matrix != 0
        first = torch.where(filled.any(dim=1), filled.int().argmax(dim=1), 0)
        last = torch.where(filled.any(dim=1), n - 1 - filled.flip(1).int().argmax(dim=1), 0)
        width = int((last - first).max()) + 1
        first = first.clamp(max=n - width)  # so that every row's band ends within the line
        weights = matrix.gather(1, first[:, None] + torch.arange(width))
        return cls(first.to(torch.int32), weights.to(torch.float32).contiguous())


def supports(image: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(image)


def resize(image: Float[Tensor, "b c *spatial"], shape: Shape) -> Float[Tensor, "b c *shape"]:
    """See `pullback.ops.resize`."""
    if tuple(image.shape[2:]) == shape:
        return image
    result: Tensor = _Resize.apply(image, shape)  # type: ignore[no-untyped-call]
    return result


@lru_cache(maxsize=64)
def _bands(n: int, m: int) -> tuple[_Band, _Band]:
    """The matrix from n voxels to m over the same field of view, and its transpose."""
    if n == m:
        matrix = torch.eye(n, dtype=torch.float64)
    else:
        factor = n / m
        at = (torch.arange(m, dtype=torch.float64) * factor + (factor - 1) / 2).clamp(0, n - 1)
        low = at.floor().long()
        matrix = torch.zeros(m, n, dtype=torch.float64)
        matrix.scatter_(1, low[:, None], (1 - (at - low))[:, None])
        matrix.scatter_add_(1, (low + 1).clamp(max=n - 1)[:, None], (at - low)[:, None])
        if factor > 1:
            matrix = matrix @ smoothing_matrix(n, 0.5 * math.sqrt(factor * factor - 1))
    return _Band.of(matrix), _Band.of(matrix.T)


class _Resize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, shape: Shape) -> Tensor:
        size = ctx.size = tuple(image.shape[2:])
        return _apply(image, shape, [_bands(n, m)[0] for n, m in zip(size, shape, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        size, shape = ctx.size, gradient.shape[2:]
        return _apply(gradient, size, [_bands(n, m)[1] for n, m in zip(size, shape, strict=True)]), None


def _apply(image: Batch, shape: Shape, bands: list[_Band]) -> Batch:
    image = image.contiguous()
    size, result = image.shape[2:], image.new_empty(*image.shape[:2], *shape)
    bands = [_bands(1, 1)[0]] * (3 - len(bands)) + bands
    arguments = [a for b in bands for a in (_native.pointer(b.first), _native.pointer(b.weights), b.weights.shape[1])]
    for one, into in zip(image.flatten(0, 1), result.flatten(0, 1), strict=True):
        _native.loaded().pb_resize(
            _native.pointer(one),
            _native.size3(tuple(size)),
            *arguments,
            _native.size3(shape),
            _native.pointer(into),
            _native.threads(),
        )
    return result

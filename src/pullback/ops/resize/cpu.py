"""`resize` by the compiled kernels: smoothing and reading are one banded matrix along each axis.

The gradient is the transposed matrices, applied by the same kernel.
"""

import math
from functools import lru_cache
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._bands import Band, arguments
from pullback.ops._lines import linear_reading
from pullback.ops.smooth.reference import smoothing_matrix
from pullback.typing import Batch, Float, Shape, Tensor

available = _native.missing


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
def _bands(n: int, m: int) -> tuple[Band, Band]:
    """The matrix from n voxels to m over the same field of view, and its transpose."""
    matrix, factor = linear_reading(n, m), n / m
    if factor > 1:
        matrix = matrix @ smoothing_matrix(n, 0.5 * math.sqrt(factor * factor - 1))
    return Band.of(matrix), Band.of(matrix.T)


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


def _apply(image: Batch, shape: Shape, bands: list[Band]) -> Batch:
    image = image.contiguous()
    size, result = image.shape[2:], image.new_empty(*image.shape[:2], *shape)
    for one, into in zip(image.flatten(0, 1), result.flatten(0, 1), strict=True):
        _native.loaded().pb_resize(
            _native.pointer(one),
            _native.size3(tuple(size)),
            *arguments(bands),
            _native.size3(shape),
            _native.pointer(into),
            _native.threads(),
        )
    return result

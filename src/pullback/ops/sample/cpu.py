"""`sample` by the compiled kernels, and its gradients with respect to the image and to where it is read.

The gradient is computed afresh in the backward pass: that reads the image once more, but no gradient volume is stored.
Except with respect to a matrix at a million places or fewer: there the slopes are kept from the first reading.
"""

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._reading import (
    Reading,
    adjoint,
    read,
    read_with_slopes,
    slopes_to_matrices,
    to_displacement,
    to_matrices,
)
from pullback.ops.sample import bspline
from pullback.typing import Batch, Interpolation, Matrix, Shape, Tensor

KEPT = 1 << 20
"""Slopes are kept for the gradient of a matrix up to this many values: the places are far apart, so that a second
reading waits for memory, and the slopes need little of it."""

available = _native.missing


def supports(
    image: Tensor, *displacement: Tensor, mix: Tensor | None = None, interpolation: Interpolation = "linear"
) -> bool:
    """See `pullback.ops._dispatch`; a cubic's gradients in `mix` and in the image are the reference's."""
    if not _native.suits(image, *displacement):
        return False
    wanted = image.requires_grad or (mix is not None and mix.requires_grad)
    return not (torch.is_grad_enabled() and interpolation == "cubic" and wanted)


def sample(
    image: Batch,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix,
    *,
    shape: Shape,
    interpolation: Interpolation,
    outside: float | None,
) -> Batch:
    """See `pullback.ops.sample`."""
    if interpolation == "nearest":  # no slope anywhere
        matrix, displacement = matrix.detach(), None if displacement is None else displacement.detach()
        mix = mix.detach()
    values: Tensor = _Sample.apply(image, matrix, displacement, mix, shape, interpolation, outside)  # type: ignore[no-untyped-call]
    return values


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        matrix: Tensor,
        displacement: Tensor | None,
        mix: Tensor,
        shape: Shape,
        interpolation: Interpolation,
        outside: float | None,
    ) -> Tensor:
        image = bspline.coefficients(image).contiguous() if interpolation == "cubic" else image.contiguous()
        at = Reading.contiguous(matrix, displacement, mix, shape, outside)
        where = any(ctx.needs_input_grad[1:4])
        matrix_alone = where and not (ctx.needs_input_grad[0] or ctx.needs_input_grad[2]) and interpolation == "linear"
        values = slopes = None
        if matrix_alone and at.batch(len(image)) * image.shape[1] * math.prod(shape) <= KEPT:
            values, slopes = read_with_slopes(image, at)
        ctx.save_for_backward(image if where and slopes is None else None, at.displacement, slopes)
        ctx.at = at.matrices, at.mix, shape, outside
        ctx.interpolation, ctx.size, ctx.matrix_like = interpolation, image.shape, (matrix.new_empty(()), matrix.shape)
        return read(image, at, interpolation) if values is None else values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        image, displacement, slopes = ctx.saved_tensors
        matrices, mix, shape, outside = ctx.at
        at = Reading(matrices, displacement, mix, shape, outside)
        gradient = gradient.contiguous()
        by_image = by_matrix = by_displacement = by_mix = None
        if ctx.needs_input_grad[0]:
            by_image = adjoint(gradient.new_zeros(ctx.size), at, gradient, ctx.interpolation)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[3]:
            like, matrix_shape = ctx.matrix_like
            if slopes is not None:
                by_matrix, by_mix = slopes_to_matrices(slopes, at, gradient)
            else:
                by_matrix, by_mix = to_matrices(image, at, gradient, ctx.interpolation)
            by_matrix, by_mix = by_matrix.view(matrix_shape).to(like), None if by_mix is None else by_mix.to(like)
        if ctx.needs_input_grad[2]:
            by_displacement = to_displacement(image, at, gradient, interpolation=ctx.interpolation)
        return by_image, by_matrix, by_displacement, by_mix, None, None, None

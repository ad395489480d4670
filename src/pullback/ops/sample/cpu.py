"""`sample` by the compiled kernels, and its gradients with respect to the image and to where it is read.

The gradient is computed afresh in the backward pass: that reads the image once more, but no gradient volume is stored.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._reading import Reading, adjoint, read, slopes
from pullback.ops.sample import bspline
from pullback.typing import Batch, Interpolation, Matrix, Shape, Tensor

available = _native.missing


def supports(
    image: Tensor, *displacement: Tensor, mix: Tensor | None = None, interpolation: Interpolation = "linear"
) -> bool:
    """See `pullback.ops._dispatch`; the gradients in `mix`, and in the image of a cubic, are the reference's."""
    if not _native.suits(image, *displacement):
        return False
    needs_mix = mix is not None and mix.requires_grad
    return not (torch.is_grad_enabled() and (needs_mix or (interpolation == "cubic" and image.requires_grad)))


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
        where = any(ctx.needs_input_grad[1:3])
        ctx.save_for_backward(image if where else None, at.displacement)
        ctx.at = at.matrices, at.mix, shape, outside
        ctx.interpolation, ctx.images, ctx.size, ctx.matrix_like = interpolation, len(image), tuple(image.shape[2:]), (
            matrix.new_empty(()), matrix.shape
        )  # fmt: skip
        return read(image, at, interpolation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        image, displacement = ctx.saved_tensors
        matrices, mix, shape, outside = ctx.at
        at = Reading(matrices, displacement, mix, shape, outside)
        gradient = gradient.contiguous()
        to_image = to_displacement = to_matrix = None
        if ctx.needs_input_grad[0]:
            to_image = adjoint(ctx.images, ctx.size, at, gradient, ctx.interpolation)
        if image is not None:
            wanted = ctx.needs_input_grad[2], ctx.needs_input_grad[1]
            to_displacement, to_matrix = slopes(image, at, gradient, wanted, ctx.interpolation)
        if to_matrix is not None:
            like, matrix_shape = ctx.matrix_like
            to_matrix = to_matrix.view(matrix_shape).to(like)
        return to_image, to_matrix, to_displacement, None, None, None, None

"""`sample` by the Triton kernels, and its gradients with respect to the image and to where it is read.

Nothing but its arguments is kept for the backward pass, which reads the image once more. All gradients are the same in
every run, that with respect to the image too, which torch's own is not on a GPU.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _cuda
from pullback.ops._cuda_reading import Places, adjoint, matrices, mixes, read, slopes
from pullback.typing import Batch, Interpolation, Matrix, Shape, Tensor

available = _cuda.missing


def supports(
    image: Tensor, *displacement: Tensor, mix: Tensor | None = None, interpolation: Interpolation = "linear"
) -> bool:
    """See `pullback.ops._dispatch`."""
    del mix
    return interpolation != "cubic" and image.numel() > 0 and _cuda.suits(image, *displacement)


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
        image = image.contiguous()
        places = Places.of(matrix, displacement, mix, shape, outside)
        ctx.save_for_backward(image if any(ctx.needs_input_grad[1:4]) else None, places.displacement)
        ctx.numbers = places.matrices, places.mix, shape, outside
        ctx.size, ctx.nearest = tuple(image.shape), interpolation == "nearest"
        ctx.matrix_like, ctx.mix_like = (matrix.new_empty(()), tuple(matrix.shape)), mix.detach()
        return read(image, places, ctx.nearest)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        image, displacement = ctx.saved_tensors
        numbers, mix, shape, outside = ctx.numbers
        places, gradient = Places(numbers, mix, displacement, shape, outside), gradient.contiguous()
        wanted = ctx.needs_input_grad
        by_image = by_matrix = by_displacement = by_mix = None
        if wanted[0]:
            by_image = adjoint(ctx.size[2:], ctx.size[0], places, gradient, ctx.nearest)
        if any(wanted[1:4]):
            of_matrix = wanted[1] or wanted[3]
            by_displacement, sums = slopes(image, places, gradient, field=wanted[2], matrix=of_matrix)
            if sums is not None:
                sums = sums.to(ctx.matrix_like[0].device)  # one copy for both
                by_matrix = matrices(sums, ctx.matrix_like) if wanted[1] else None
                by_mix = mixes(sums, ctx.mix_like) if wanted[3] else None
        return by_image, by_matrix, by_displacement, by_mix, None, None, None

"""`sample` by the compiled kernels: linear interpolation, and its gradient with respect to where it reads.

The gradient is computed afresh in the backward pass: that reads the image once more, but no gradient volume is stored.
"""

import ctypes
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.ops.sample import reference
from pullback.typing import Batch, Interpolation, Matrix, Shape, Tensor

available = _native.missing


def supports(image: Tensor, *displacement: Tensor) -> bool:
    """See `pullback.ops._dispatch`; the gradient with respect to the image is the reference's."""
    return _native.suits(image, *displacement) and not (torch.is_grad_enabled() and image.requires_grad)


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
    if interpolation != "linear" or mix.requires_grad or len(shape) != image.ndim - 2:
        return reference.sample(
            image, matrix, displacement, mix, shape=shape, interpolation=interpolation, outside=outside
        )
    values: Tensor = _Sample.apply(image, matrix, displacement, mix, shape, outside)  # type: ignore[no-untyped-call]
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
        outside: float | None,
    ) -> Tensor:
        image = image.contiguous()
        displacement = None if displacement is None else displacement.contiguous()
        ctx.save_for_backward(image, displacement)
        matrices = _native.double(matrix if matrix.ndim == 3 else matrix[None])
        ctx.matrices, ctx.mix, ctx.shape, ctx.outside = matrices, _native.double(mix), shape, outside
        ctx.matrix_like = matrix.new_empty(()), matrix.shape
        batch = max(len(image), len(matrices), 1 if displacement is None else len(displacement))
        values = empty(batch, image.shape[1], *shape)
        for k in range(batch):
            one = matrices[k % len(matrices)]
            read(_of(image, k), one, _of(displacement, k), ctx.mix, outside, values[k])
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        image, displacement = ctx.saved_tensors
        gradient = gradient.contiguous()
        matrices = ctx.matrices
        wants_matrix, wants_displacement = ctx.needs_input_grad[1], ctx.needs_input_grad[2]
        to_matrix = torch.zeros_like(matrices) if wants_matrix else None
        parts: list[Tensor] = []
        for k in range(len(gradient)):
            m = torch.empty_like(matrices[0]) if wants_matrix else None
            u = empty(len(ctx.shape), *ctx.shape) if wants_displacement else None
            one = matrices[k % len(matrices)]
            _read_backward(_of(image, k), one, _of(displacement, k), ctx.mix, ctx.outside, gradient[k], (u, m))
            if to_matrix is not None and m is not None:
                to_matrix[k % len(to_matrix)] += m
            if u is not None:
                parts.append(u)
        to_displacement = _gathered(parts, len(displacement)) if wants_displacement else None
        if to_matrix is not None:
            like, shape = ctx.matrix_like
            to_matrix = to_matrix.view(shape).to(like)
        return None, to_matrix, to_displacement, None, None, None


def _of(batch: Tensor | None, k: int) -> Tensor | None:
    return None if batch is None else batch[k % len(batch)]


def _gathered(parts: list[Tensor], batch: int) -> Tensor:
    """The gradient of a batch from its parts; one displacement that was used for many images gets their sum."""
    if len(parts) == 1:
        return parts[0][None]
    return torch.stack(parts) if batch > 1 else torch.stack(parts).sum(dim=0, keepdim=True)


def read(
    image: Tensor | None,
    matrix: Tensor,
    displacement: Tensor | None,
    mix: Tensor,
    outside: float | None,
    values: Tensor,
    plus: Tensor | None = None,
    scale: float = 1.0,
) -> None:
    """Fill `values` (c, *shape) with one image (c, *spatial) read where told, plus `scale` times `plus`."""
    assert image is not None
    _native.loaded().pb_sample(
        _native.pointer(image),
        _native.size3(tuple(image.shape[1:])),
        len(image),
        _native.pointer(displacement),
        _native.pointer(matrix),
        _native.pointer(mix),
        _native.size3(tuple(values.shape[1:])),
        image.ndim - 1,
        int(outside is None),
        ctypes.c_float(outside or 0.0),
        _native.pointer(plus),
        ctypes.c_float(scale),
        _native.pointer(values),
        _native.threads(),
    )


def _read_backward(
    image: Tensor | None,
    matrix: Tensor,
    displacement: Tensor | None,
    mix: Tensor,
    outside: float | None,
    gradient: Tensor,
    into: tuple[Tensor | None, Tensor | None],
) -> None:
    assert image is not None
    _native.loaded().pb_sample_backward(
        _native.pointer(image),
        _native.size3(tuple(image.shape[1:])),
        len(image),
        _native.pointer(displacement),
        _native.pointer(matrix),
        _native.pointer(mix),
        _native.size3(tuple(gradient.shape[1:])),
        image.ndim - 1,
        int(outside is None),
        _native.pointer(gradient),
        _native.pointer(into[0]),
        _native.pointer(into[1]),
        _native.threads(),
    )

"""`sampled_mse` by the compiled kernels: in one reading where the channels lie side by side."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._mean import LEAST
from pullback.ops._memory import empty
from pullback.ops._reading import Reading
from pullback.ops.mse import mse
from pullback.ops.sample import sample
from pullback.ops.sampled_mse.abreast import is_abreast
from pullback.typing import Batch, Float, Matrix, Tensor

available = _native.missing


def supports(fixed: Tensor, moving: Tensor, *others: Tensor) -> bool:
    """See `pullback.ops._dispatch`; the gradient with respect to the fixed image and the weight is the reference's."""
    wanted = fixed.requires_grad or any(t.requires_grad and t.shape[1] == 1 for t in others)
    return _native.suits(fixed, moving, *others) and not (torch.is_grad_enabled() and wanted)


def sampled_mse(
    fixed: Batch, moving: Batch, matrix: Matrix, displacement: Batch | None, mix: Matrix, weight: Batch | None
) -> Float[Tensor, " b"]:
    """See `pullback.ops.sampled_mse`."""
    one = len(fixed) == 1 and (displacement is None or len(displacement) == 1) and (weight is None or len(weight) == 1)
    if not (one and matrix.ndim == 2 and is_abreast(fixed) and is_abreast(moving)) or moving.requires_grad:
        return mse(fixed, sample(moving, matrix, displacement, mix, shape=tuple(fixed.shape[2:])), weight)
    loss: Tensor = _SampledMSE.apply(fixed, moving, matrix, displacement, mix, weight)  # type: ignore[no-untyped-call]
    return loss


class _SampledMSE(torch.autograd.Function):
    """The gradient is known as soon as the loss is: places have to be read for both."""

    @staticmethod
    def forward(
        ctx: Any,
        fixed: Tensor,
        moving: Tensor,
        matrix: Tensor,
        displacement: Tensor | None,
        mix: Tensor,
        weight: Tensor | None,
    ) -> Tensor:
        at = Reading.contiguous(matrix, displacement, mix, tuple(fixed.shape[2:]), None)
        weight = None if weight is None else weight.contiguous()
        places = fixed[0, 0].numel() if weight is None else float(weight.sum(dtype=torch.float64))
        total = max(places, LEAST) * fixed.shape[1]
        moved = empty(*at.displacement.shape) if ctx.needs_input_grad[3] and at.displacement is not None else None
        linear = ctx.needs_input_grad[2] or ctx.needs_input_grad[4]
        matrices = (torch.empty_like(at.matrices[0]), torch.empty_like(at.mix)) if linear else (None, None)
        found = _native.loaded().pb_sampled_mse(
            _native.pointer(fixed),
            _native.pointer(moving),
            _native.size3(tuple(moving.shape[2:])),
            moving.shape[1],
            *at.arguments(0),
            _native.pointer(weight),
            ctypes.c_float(2 / total),
            *(_native.pointer(t) for t in (moved, *matrices)),
            _native.threads(),
        )
        ctx.save_for_backward(moved, *matrices)
        ctx.like = matrix.new_empty(())
        return torch.full((1,), found / total, dtype=moving.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        by_displacement, by_matrix, by_mix = ctx.saved_tensors
        scale = float(upstream)
        if by_displacement is not None:
            by_displacement = by_displacement if scale == 1 else scale * by_displacement
        if by_matrix is not None:
            by_matrix, by_mix = (scale * by_matrix).to(ctx.like), (scale * by_mix).to(ctx.like)
        return None, None, by_matrix, by_displacement, by_mix, None

"""`lncc` by the compiled kernels: the value and its gradient with respect to the warped image in one sweep."""

import ctypes
import math
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Float, Shape, Tensor

available = _native.missing

LEVEL_STRIDE = 61
"""The level that is taken off both images for the sake of rounding may be estimated from every 61st voxel."""

PART = 1 << 20


def supports(fixed: Tensor, warped: Tensor, *weight: Tensor, threshold: float = math.inf) -> bool:
    """See `pullback.ops._dispatch`; the gradient with respect to the fixed image is the reference's."""
    del threshold  # any
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (fixed, *weight))
    return _native.suits(fixed, warped, *weight) and not wanted


def lncc(
    fixed: Batch, warped: Batch, radius: Shape, weight: Batch | None, floor: float, threshold: float
) -> Float[Tensor, " b"]:
    """See `pullback.ops.lncc`."""
    loss: Tensor = _LNCC.apply(fixed, warped, radius, weight, (floor, threshold))  # type: ignore[no-untyped-call]
    return loss


class _LNCC(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, fixed: Tensor, warped: Tensor, radius: Shape, weight: Tensor | None, bounds: tuple[float, float]
    ) -> Tensor:
        batch = max(len(fixed), len(warped), 1 if weight is None else len(weight))
        level = float(fixed.flatten()[::LEVEL_STRIDE].mean()), bounds[0], 1 / bounds[1]
        fixed, warped = fixed.contiguous(), warped.contiguous()
        weight = None if weight is None else weight.contiguous()
        wanted = ctx.needs_input_grad[1]
        gradient = empty(batch, *warped.shape[1:]) if wanted else None
        loss = torch.empty(batch, dtype=torch.float64)
        for k in range(batch):
            w = None if weight is None else weight[k % len(weight), 0]
            total = (fixed[0, 0].numel() if w is None else _total(w)) * fixed.shape[1]
            parts = [
                _one(fixed[k % len(fixed), c], warped[k % len(warped), c], w, radius, level, max(total, 1e-6),
                     None if gradient is None else gradient[k, c])
                for c in range(fixed.shape[1])
            ]  # fmt: skip
            loss[k] = 1 + sum(part - 1 for part in parts)
        ctx.gradient, ctx.rows = gradient, len(warped)
        return loss.to(warped.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        gradient = ctx.gradient
        if not bool((upstream == 1).all()):
            gradient = gradient * upstream.view(-1, *[1] * (gradient.ndim - 1))
        if ctx.rows != len(gradient):
            gradient = gradient.sum(dim=0, keepdim=True)
        return None, gradient, None, None, None


def _total(weight: Tensor) -> float:
    """The sum in double precision, a part at a time: torch would make a copy of the whole in it."""
    flat = weight.flatten()
    return sum(float(flat[k : k + PART].sum(dtype=torch.float64)) for k in range(0, len(flat), PART))


def _one(
    fixed: Tensor,
    warped: Tensor,
    weight: Tensor | None,
    radius: Shape,
    level: tuple[float, float, float],
    total: float,
    gradient: Tensor | None,
) -> float:
    """1 - sum / total of one channel, and its gradient.

    `level` holds what is taken off both images, the floor, and 1 / threshold.
    """
    radii = (ctypes.c_int * 3)(
        *([0] * (3 - fixed.ndim)), *(r if n > 1 else 0 for r, n in zip(radius, fixed.shape, strict=True))
    )
    return float(
        _native.loaded().pb_lncc(
            _native.pointer(fixed),
            _native.pointer(warped),
            _native.pointer(weight),
            _native.size3(tuple(fixed.shape)),
            radii,
            *(ctypes.c_float(number) for number in level),
            ctypes.c_double(total),
            _native.pointer(gradient),
            _native.threads(),
        )
    )

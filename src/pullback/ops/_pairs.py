"""What the measures of two whole images share: they depend on the same few weighted sums, channel by channel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from torch.autograd.function import once_differentiable

from pullback.errors import InputError
from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Float, Tensor

LEVEL_STRIDE = 61
"""The level that is taken off both images for the sake of rounding may be estimated from every 61st voxel."""


class Moments(NamedTuple):
    """Weighted sums over the voxels of one channel: of i, the fixed image less a level, and d, warped less fixed."""

    n: float
    i: float
    d: float
    ii: float
    dd: float
    id: float


Slope: TypeAlias = tuple[float, float, float]
"""(a, b, c): the gradient with respect to the warped image is weight x (a fixed + b warped + c), levels taken off."""

Measure: TypeAlias = Callable[[Moments], tuple[float, Slope]]
"""The loss of one channel, and its slope."""


def check_pair(fixed: Batch, warped: Batch, weight: Batch | None, name: str) -> None:
    """Raise an InputError where two images and a weight do not fit together."""
    if fixed.shape[1:] != warped.shape[1:]:
        raise InputError(f"{name} needs two images of one shape; got {tuple(fixed.shape)} and {tuple(warped.shape)}")
    if weight is not None and (weight.shape[1] != 1 or weight.shape[2:] != fixed.shape[2:]):
        wanted = ", ".join(map(str, fixed.shape[2:]))
        raise InputError(f"the weight must be (b, 1, {wanted}); got {tuple(weight.shape)}")


def suits(fixed: Tensor, warped: Tensor, *weight: Tensor) -> bool:
    """Whether the kernels can; the gradient with respect to the fixed image and the weight is the reference's."""
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (fixed, *weight))
    return _native.suits(fixed, warped, *weight) and not wanted


def mean_loss(fixed: Batch, warped: Batch, weight: Batch | None, measure: Measure) -> Float[Tensor, " b"]:
    """The mean over the channels of a measure of each pair, and its gradient, in two passes over memory."""
    loss: Tensor = _MeanLoss.apply(fixed, warped, weight, measure)  # type: ignore[no-untyped-call]
    return loss


class _MeanLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, fixed: Tensor, warped: Tensor, weight: Tensor | None, measure: Measure) -> Tensor:
        fixed, warped = fixed.contiguous(), warped.contiguous()
        weight = None if weight is None else weight.contiguous()
        batch = max(len(fixed), len(warped), 1 if weight is None else len(weight))
        level = float(fixed.flatten()[::LEVEL_STRIDE].mean())
        loss = torch.zeros(batch, dtype=torch.float64)
        ctx.slopes = {}
        for k in range(batch):
            for c in range(fixed.shape[1]):
                sums = torch.empty(6, dtype=torch.float64)
                _native.loaded().pb_moments(
                    *_channel(fixed, warped, weight, k, c),
                    ctypes.c_float(level),
                    _native.pointer(sums),
                    _native.threads(),
                )
                value, ctx.slopes[k, c] = measure(Moments(*sums.tolist()))
                loss[k] += value / fixed.shape[1]
        ctx.save_for_backward(fixed, warped, weight)
        ctx.level, ctx.batch = level, batch
        return loss.to(warped.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        fixed, warped, weight = ctx.saved_tensors
        gradient = empty(ctx.batch, *warped.shape[1:])
        for (k, c), (a, b, constant) in ctx.slopes.items():
            scale = float(upstream[k]) / fixed.shape[1]
            numbers = (scale * a, scale * b, scale * (constant - (a + b) * ctx.level))
            _native.loaded().pb_mixture(
                *_channel(fixed, warped, weight, k, c),
                *(ctypes.c_float(number) for number in numbers),
                _native.pointer(gradient[k, c]),
                _native.threads(),
            )
        if len(warped) != ctx.batch:
            gradient = gradient.sum(dim=0, keepdim=True)
        return None, gradient, None, None


def _channel(fixed: Tensor, warped: Tensor, weight: Tensor | None, k: int, c: int) -> tuple[Any, ...]:
    """One channel of one pair, as the kernels take it."""
    w = None if weight is None else weight[k % len(weight), 0]
    tensors = (fixed[k % len(fixed), c], warped[k % len(warped), c], w)
    return (*(_native.pointer(t) for t in tensors), ctypes.c_int64(tensors[1].numel()))

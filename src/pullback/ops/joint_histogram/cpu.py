"""`joint_histogram` by the compiled kernels."""

import ctypes
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Float, Tensor

available = _native.missing


def supports(fixed: Tensor, warped: Tensor, *weight: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in weight)
    return _native.suits(fixed, warped, *weight) and not wanted


def joint_histogram(fixed: Batch, warped: Batch, bins: int, weight: Batch | None) -> Float[Tensor, "b {bins} {bins}"]:
    """See `pullback.ops.joint_histogram`."""
    joint: Tensor = _Histogram.apply(fixed, warped, bins, weight)  # type: ignore[no-untyped-call]
    return joint


class _Histogram(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, fixed: Tensor, warped: Tensor, bins: int, weight: Tensor | None) -> Tensor:
        batch = max(len(fixed), len(warped), 1 if weight is None else len(weight))
        fixed, warped = fixed.contiguous(), warped.contiguous()
        weight = None if weight is None else weight.contiguous()
        joint = torch.empty(batch, bins, bins, dtype=torch.float64)
        totals = []
        for k in range(batch):
            f, m, w = _of(fixed, k), _of(warped, k), _of(weight, k)
            _native.loaded().pb_histogram(
                *(_native.pointer(t) for t in (f, m, w)), *_sizes(m, bins), _native.pointer(joint[k]), _native.threads()
            )
            totals.append(max(float(joint[k].sum()), 1e-6))  # what every voxel counts is spread, none of it lost
        ctx.save_for_backward(fixed, warped, weight)
        ctx.totals, ctx.bins = totals, bins
        return (joint / torch.tensor(totals, dtype=torch.float64).view(-1, 1, 1)).to(warped.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        fixed, warped, weight = ctx.saved_tensors
        upstream = upstream.contiguous()
        gradient = empty(len(upstream), *warped.shape[1:])
        for k, total in enumerate(ctx.totals):
            f, m, w = _of(fixed, k), _of(warped, k), _of(weight, k)
            _native.loaded().pb_histogram_backward(
                *(_native.pointer(t) for t in (f, m, w)),
                *_sizes(m, ctx.bins),
                _native.pointer(upstream[k]),
                ctypes.c_double(total),
                _native.pointer(gradient[k]),
                _native.threads(),
            )
        if len(warped) != len(gradient):
            gradient = gradient.sum(dim=0, keepdim=True)
        return None, gradient, None, None


def _of(batch: Tensor | None, k: int) -> Any:
    return None if batch is None else batch[k % len(batch)]


def _sizes(image: Tensor, bins: int) -> tuple[ctypes.c_int64, int]:
    return ctypes.c_int64(image.numel()), bins

"""`joint_histogram` by the Triton kernels; nothing waits for the GPU, and counts are the same in every run."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _cuda
from pullback.typing import Batch, Float, Tensor

available = _cuda.missing


def supports(fixed: Tensor, warped: Tensor, *weight: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in weight)
    return _cuda.suits(fixed, warped, *weight) and fixed.numel() > 0 and not wanted


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
        joint = torch.stack([_counts(_of(fixed, k), _of(warped, k), _of(weight, k), bins) for k in range(batch)])
        totals = joint.sum(dim=(1, 2)).clamp(min=1e-6)  # what every voxel counts is spread, none of it lost
        ctx.save_for_backward(fixed, warped, weight, totals)
        return (joint / totals.view(-1, 1, 1)).to(warped.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        fixed, warped, weight, totals = ctx.saved_tensors
        kernels, upstream, bins = _cuda.kernels("histogram"), upstream.contiguous(), upstream.shape[1]
        gradient = torch.empty(len(upstream), *warped.shape[1:], device=warped.device)
        scale, count = (1 / totals).to(torch.float32), gradient[0].numel()
        with _cuda.on(warped):
            for k in range(len(gradient)):
                kernels.pull[_cuda.blocks(count, kernels.PULLED),](
                    *(_of(t, k) for t in (fixed, warped, weight)),
                    upstream[k],
                    scale[k],
                    gradient[k],
                    count,
                    bins,
                    WEIGHTED=weight is not None,
                    BLOCK=kernels.PULLED,
                    num_warps=kernels.WARPS,
                )
        if len(warped) != len(gradient):
            gradient = gradient.sum(dim=0, keepdim=True)
        return None, gradient, None, None


def _of(batch: Tensor | None, k: int) -> Any:
    return None if batch is None else batch[k % len(batch)]


def _counts(fixed: Tensor, warped: Tensor, weight: Tensor | None, bins: int) -> Tensor:
    """(bins, bins), double precision."""
    kernels, width = _cuda.kernels("histogram"), max(16, 1 << (bins - 1).bit_length())
    count = fixed.numel()
    loops = _cuda.loops(_cuda.blocks(count, kernels.BLOCK))
    programs = _cuda.blocks(count, kernels.BLOCK * loops)
    partial = torch.empty(programs, width, width, device=fixed.device)
    with _cuda.on(fixed):
        kernels.count_pairs[programs,](
            fixed,
            warped,
            weight,
            partial,
            count,
            bins,
            loops,
            WEIGHTED=weight is not None,
            WIDTH=width,
            BLOCK=kernels.BLOCK,
            num_warps=kernels.WARPS,
        )
    return partial.sum(dim=0, dtype=torch.float64)[:bins, :bins]

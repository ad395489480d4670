"""`sampled_histogram` by two Triton kernels: what each voxel reads is counted at once, and its slope likewise."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _cuda
from pullback.ops._cuda_reading import Places, matrices, mixes, sizes_of
from pullback.typing import Batch, Float, Matrix, Shape, Tensor

available = _cuda.missing


def supports(fixed: Tensor, moving: Tensor, *others: Tensor) -> bool:
    """See `pullback.ops._dispatch`; gradients with respect to a displacement are the reference's."""
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (fixed, moving, *others))
    return _cuda.suits(fixed, moving, *others) and fixed.numel() > 0 and not wanted


def sampled_histogram(
    fixed: Batch,
    moving: Batch,
    bins: int,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix,
    weight: Batch | None,
) -> Float[Tensor, "1 {bins} {bins}"]:
    """See `pullback.ops.sampled_histogram`."""
    images = (fixed, moving, displacement, weight)
    joint: Tensor = _Sampled.apply(matrix, mix, images, bins)  # type: ignore[no-untyped-call]
    return joint


Images = tuple[Tensor, Tensor, Tensor | None, Tensor | None]
"""Fixed and moving, displacement and weight."""


class _Sampled(torch.autograd.Function):
    """From CPU to CPU, so that the way back needs no other thread."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, mix: Tensor, images: Images, bins: int) -> Tensor:
        dense = [None if t is None else t.contiguous() for t in images]
        ctx.images = dense
        ctx.places = Places.of(matrix, dense[2], mix, tuple(images[0].shape[2:]), None)
        counts = _counts(dense, ctx.places, bins).cpu()
        ctx.total = counts.sum().clamp(min=1e-6)
        ctx.like = (matrix.new_empty(()), tuple(matrix.shape)), mix.detach()
        joint: Tensor = (counts / ctx.total).to(torch.float32)[None]
        return joint

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        pull = (upstream[0] / ctx.total).to(torch.float32).contiguous()
        sums = _slopes(ctx.images, ctx.places, pull.to(ctx.images[0].device)).cpu()
        of_matrix, of_mix = ctx.like
        return matrices(sums, of_matrix), mixes(sums, of_mix), None, None


def _counts(images: list[Any], places: Places, bins: int) -> Tensor:
    """(bins, bins), double precision."""
    kernels, (fixed, moving, displacement, weight) = _cuda.kernels("pairs"), images
    size: Shape = tuple(moving.shape[2:])
    width, count = max(16, 1 << (bins - 1).bit_length()), math.prod(places.shape)
    loops = _cuda.loops(_cuda.blocks(count, kernels.BLOCK))
    programs = _cuda.blocks(count, kernels.BLOCK * loops)
    partial = torch.empty(programs, width, width, device=fixed.device)
    with _cuda.on(fixed):
        kernels.count_read[programs,](
            fixed, moving, displacement, weight, partial, loops, bins, *sizes_of(size, places.shape), *places.at(0),
            **places.fixed, WEIGHTED=weight is not None, WIDTH=width, BLOCK=kernels.BLOCK,
            num_warps=kernels.WARPS,
        )  # fmt: skip
    return partial.sum(dim=0, dtype=torch.float64)[:bins, :bins]


def _slopes(images: list[Any], places: Places, pull: Tensor) -> Tensor:
    """(1, 21), double precision: what the matrix and the mix change."""
    kernels, (fixed, moving, displacement, weight) = _cuda.kernels("pairs"), images
    size: Shape = tuple(moving.shape[2:])
    count = math.prod(places.shape)
    programs = _cuda.blocks(count, kernels.PULLED)
    sums = torch.zeros(programs, kernels.SUMS, device=fixed.device)
    with _cuda.on(fixed):
        kernels.slopes_read[programs,](
            fixed, moving, displacement, weight, pull, sums, len(pull), *sizes_of(size, places.shape), *places.at(0),
            **places.fixed, WEIGHTED=weight is not None, SUMS=kernels.SUMS, BLOCK=kernels.PULLED,
            num_warps=kernels.WARPS,
        )  # fmt: skip
    return sums.sum(dim=0, dtype=torch.float64)[None, :21]

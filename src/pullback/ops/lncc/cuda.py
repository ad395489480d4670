"""`lncc` by the Triton kernels: the value in two sweeps, its gradient with respect to the warped image in two more.

Nothing waits for the GPU: the level, the totals and the loss stay there. Sums are the same in every run.
"""

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _cuda
from pullback.typing import Batch, Float, Shape, Tensor

available = _cuda.missing

LEVEL_STRIDE = 61
"""The level that is taken off both images for the sake of rounding may be estimated from every 61st voxel."""


def supports(fixed: Tensor, warped: Tensor, *weight: Tensor, threshold: float = math.inf) -> bool:
    """See `pullback.ops._dispatch`; the gradient with respect to the fixed image is the reference's."""
    del threshold
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (fixed, *weight))
    return _cuda.suits(fixed, warped, *weight) and fixed.numel() > 0 and not wanted


def lncc(
    fixed: Batch, warped: Batch, radius: Shape, weight: Batch | None, floor: float, threshold: float
) -> Float[Tensor, " b"]:
    """See `pullback.ops.lncc`."""
    loss: Tensor = _LNCC.apply(fixed, warped, radius, weight, (floor, 1 / threshold))  # type: ignore[no-untyped-call]
    return loss


class _LNCC(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, fixed: Tensor, warped: Tensor, radius: Shape, weight: Tensor | None, bounds: tuple[float, float]
    ) -> Tensor:
        batch = max(len(fixed), len(warped), 1 if weight is None else len(weight))
        fixed, warped = fixed.contiguous(), warped.contiguous()
        weight = None if weight is None else weight.contiguous()
        level = fixed.flatten()[::LEVEL_STRIDE].mean()
        size, channels, wanted = tuple(fixed.shape[2:]), fixed.shape[1], ctx.needs_input_grad[1]
        sizes = (*_cuda.size3(size), *_cuda.size3([min(r, n) for r, n in zip(radius, size, strict=True)]))
        if len(size) == 2:
            sizes = (*sizes[:3], 0, *sizes[4:])
        programs = _cuda.blocks(math.prod(size), _cuda.kernels("lncc").BLOCK)
        fields = torch.empty(batch, channels, 3, *size, device=fixed.device) if wanted else None
        likeness = torch.empty(batch, channels, programs, device=fixed.device)
        for k in range(batch):
            for c in range(channels):
                images = _of(fixed, k, c), _of(warped, k, c), _of(weight, k, 0)
                _measure(images, level, sizes, bounds, likeness[k, c], None if fields is None else fields[k, c])
        total: float | Tensor = channels * math.prod(size)
        if weight is not None:
            total = (weight.flatten(1).sum(dim=1, dtype=torch.float64) * channels).clamp(min=1e-6)
        ctx.save_for_backward(fixed, warped, weight, level, fields)
        ctx.sizes, ctx.total = sizes, total
        return (1 - likeness.sum(dim=(1, 2), dtype=torch.float64) / total).to(warped.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        fixed, warped, weight, level, fields = ctx.saved_tensors
        scale = (upstream / ctx.total).to(torch.float32)
        gradient = torch.empty(len(fields), *warped.shape[1:], device=warped.device)
        for k in range(len(fields)):
            for c in range(fixed.shape[1]):
                images = _of(fixed, k, c), _of(warped, k, c), _of(weight, k, 0)
                _pull(images, level, scale[k], ctx.sizes, fields[k, c], gradient[k, c])
        if len(warped) != len(gradient):
            gradient = gradient.sum(dim=0, keepdim=True)
        return None, gradient, None, None, None


def _of(images: Tensor | None, k: int, c: int) -> Any:
    return None if images is None else images[k % len(images), c]


def _measure(
    images: tuple[Tensor, Tensor, Tensor | None],
    level: Tensor,
    sizes: Shape,
    bounds: tuple[float, float],
    likeness: Tensor,
    fields: Tensor | None,
) -> None:
    """Each program's sum of the likeness of one channel; fills `fields` for the gradient.

    `bounds` are the floor and 1 / threshold.
    """
    kernels, fixed, weight = _cuda.kernels("lncc"), images[0], images[2]
    count, (chunk, chunks, columns) = fixed.numel(), _chunks(sizes)
    weighted = weight is not None
    partial = torch.empty(6 if weighted else 5, count, device=fixed.device)
    with _cuda.on(fixed):
        kernels.sums[sizes[0] * chunks, columns](
            *images, level, partial, *sizes, chunk, chunks,
            WEIGHTED=weighted, COLUMNS=kernels.COLUMNS, num_warps=kernels.ABREAST,
        )  # fmt: skip
        kernels.measure[likeness.numel(),](
            partial, weight, fields, likeness, *sizes, *bounds,
            WEIGHTED=weighted, GRADIENT=fields is not None, ROBUST=bounds[1] > 0, BLOCK=kernels.BLOCK,
            num_warps=kernels.WARPS,
        )  # fmt: skip


def _pull(
    images: tuple[Tensor, Tensor, Tensor | None],
    level: Tensor,
    scale: Tensor,
    sizes: Shape,
    fields: Tensor,
    gradient: Tensor,
) -> None:
    """The gradient of one channel."""
    kernels, (chunk, chunks, columns) = _cuda.kernels("lncc"), _chunks(sizes)
    partial = torch.empty_like(fields)
    with _cuda.on(fields):
        kernels.plane[sizes[0] * chunks, columns](
            fields, partial, *sizes, chunk, chunks, COLUMNS=kernels.COLUMNS, num_warps=kernels.ABREAST
        )
        kernels.pull[_cuda.blocks(gradient.numel(), kernels.BLOCK),](
            partial, *images, level, scale, gradient, sizes[0], sizes[1] * sizes[2], sizes[3],
            WEIGHTED=images[2] is not None, BLOCK=kernels.BLOCK, num_warps=kernels.WARPS,
        )  # fmt: skip


def _chunks(sizes: Shape) -> tuple[int, int, int]:
    """Rows for each program that goes down them, how many such programs a slice has, and how many lie abreast."""
    kernels = _cuda.kernels("lncc")
    columns = _cuda.blocks(sizes[2], kernels.COLUMNS)
    for chunk in kernels.CHUNKS:
        chunks = _cuda.blocks(sizes[1], chunk)
        if sizes[0] * chunks * columns >= kernels.ENOUGH:
            break
    return chunk, chunks, columns

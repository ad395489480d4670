"""`force` by a Triton kernel, in one pass."""

import math

import torch

from pullback.ops import _cuda
from pullback.ops._cuda_reading import nine
from pullback.typing import Batch, Matrix, Tensor

available = _cuda.missing


def supports(warped: Tensor, gradient: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _cuda.suits(warped, gradient) and warped.numel() > 0


def force(warped: Batch, gradient: Batch, mix: Matrix) -> Batch:
    """See `pullback.ops.force`."""
    warped, gradient, kernels = warped.contiguous(), gradient.contiguous(), _cuda.kernels("filters")
    shape, numbers = tuple(warped.shape[2:]), nine(mix.detach().tolist())
    count, d = math.prod(shape), len(shape)
    field = torch.empty(len(warped), d, *shape, device=warped.device)
    with _cuda.on(warped):
        for w, g, into in zip(warped, gradient, field, strict=True):
            kernels.force[_cuda.blocks(count, kernels.BLOCK),](
                w,
                g,
                into,
                len(w),
                *_cuda.size3(shape),
                count,
                *numbers,
                D=d,
                BLOCK=kernels.BLOCK,
                num_warps=kernels.WARPS,
            )
    return field

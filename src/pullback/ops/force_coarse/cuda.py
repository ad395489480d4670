"""`force_coarse` by a Triton kernel: each coarse voxel gathers the forces of the fine ones about it."""

import math

import torch

from pullback.ops import _cuda
from pullback.ops._cuda_reading import nine
from pullback.typing import Batch, Matrix, Shape, Tensor

available = _cuda.missing


def supports(warped: Tensor, gradient: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _cuda.suits(warped, gradient) and warped.numel() > 0


def force_coarse(warped: Batch, gradient: Batch, mix: Matrix, shape: Shape) -> Batch:
    """See `pullback.ops.force_coarse`."""
    warped, gradient, kernels = warped.contiguous(), gradient.contiguous(), _cuda.kernels("filters")
    size, numbers = tuple(warped.shape[2:]), nine(mix.detach().tolist())
    factors = [n / m for n, m in zip(_cuda.size3(shape), _cuda.size3(size), strict=True)]
    taps = [1 if f == 1 else math.ceil(2 / f) for f in factors]
    count, d = math.prod(shape), len(shape)
    field = torch.empty(len(warped), d, *shape, device=warped.device)
    with _cuda.on(warped):
        for w, g, into in zip(warped, gradient, field, strict=True):
            kernels.force_coarse[_cuda.blocks(count, kernels.GATHERED),](
                w, g, into, len(w), *_cuda.size3(size), *_cuda.size3(shape), *taps, *factors, *numbers,
                D=d, BLOCK=kernels.GATHERED, num_warps=kernels.WARPS,
            )  # fmt: skip
    return field

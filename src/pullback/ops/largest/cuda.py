"""`largest` by a Triton kernel and a maximum over its programs."""

import torch

from pullback.ops import _cuda
from pullback.typing import Float, Tensor

available = _cuda.missing


def supports(field: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _cuda.suits(field) and field.numel() > 0


def largest(field: Float[Tensor, "d *spatial"]) -> Float[Tensor, ""]:
    """See `pullback.ops.largest`."""
    field, kernels = field.detach().contiguous(), _cuda.kernels("filters")
    count = field[0].numel()
    programs = _cuda.blocks(count, kernels.BLOCK)
    found = torch.empty(programs, device=field.device)
    with _cuda.on(field):
        kernels.largest[programs,](field, found, len(field), count, BLOCK=kernels.BLOCK, num_warps=kernels.WARPS)
    return found.max().sqrt()

"""`force`, defined in torch."""

import torch

from pullback.typing import Batch, Float, Matrix, Tensor


def force(warped: Float[Tensor, "b c *spatial"], gradient: Float[Tensor, "b c *spatial"], mix: Matrix) -> Batch:
    """See `pullback.ops.force`."""
    along = [(gradient * _slope(warped, axis)).sum(dim=1) for axis in range(2, warped.ndim)]
    return torch.einsum("ai,ba...->bi...", mix.to(warped), torch.stack(along, dim=1))


def _slope(image: Batch, axis: int) -> Batch:
    n = image.shape[axis]
    at = torch.arange(n, device=image.device)
    after, before = (at + 1).clamp(max=n - 1), (at - 1).clamp(min=0)
    return (image.index_select(axis, after) - image.index_select(axis, before)) / 2

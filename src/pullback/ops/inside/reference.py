"""`inside`, defined in torch."""

import torch

from pullback.ops._lines import refined
from pullback.ops.sample import reference
from pullback.typing import Batch, Float, Matrix, Shape, Tensor


def inside(
    size: Shape, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, device: torch.device
) -> Float[Tensor, "_b 1 *_shape"]:
    """See `pullback.ops.inside`."""
    displacement = None if displacement is None else refined(displacement, shape)
    at = reference.positions(matrix, displacement, mix, shape, device)
    return reference.is_inside(at, size).to(at.dtype)[:, None]

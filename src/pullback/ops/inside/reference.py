"""`inside`, defined in torch."""

from pullback.ops._lines import refined
from pullback.ops.sample import reference
from pullback.typing import Batch, Float, Matrix, Shape, Tensor


def inside(
    size: Shape, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape
) -> Float[Tensor, "_b 1 *_shape"]:
    """See `pullback.ops.inside`."""
    displacement = None if displacement is None else refined(displacement, shape)
    device = matrix.device if displacement is None else displacement.device
    at = reference.positions(matrix, displacement, mix, shape, device)
    return reference.is_inside(at, size).to(at.dtype)[:, None]

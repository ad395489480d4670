"""`ffd`, defined in torch: each axis in turn, as a product with a banded matrix."""

from pullback.ops._lines import along
from pullback.ops.ffd.weights import matrix
from pullback.typing import Batch, Shape


def ffd(coefficients: Batch, shape: Shape, scale: tuple[float, ...], offset: tuple[float, ...]) -> Batch:
    """See `pullback.ops.ffd`."""
    for a in reversed(range(len(shape))):
        reads = matrix(shape[a], coefficients.shape[a + 2], scale[a], offset[a])
        coefficients = along(reads, coefficients, a + 2)
    return coefficients

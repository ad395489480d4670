"""`sample_coarse`, defined in torch."""

from pullback.ops._lines import along, linear_reading
from pullback.ops.sample import sample
from pullback.typing import Batch, Matrix, Shape


def sample_coarse(
    image: Batch, matrix: Matrix, displacement: Batch, mix: Matrix, shape: Shape, outside: float | None
) -> Batch:
    """See `pullback.ops.sample_coarse`."""
    for axis, n in enumerate(shape, start=2):
        displacement = along(linear_reading(displacement.shape[axis], n), displacement, axis)
    return sample(image, matrix.detach(), displacement, mix, outside=outside)

"""`force_coarse`, defined in torch."""

from pullback.ops._lines import along, linear_reading
from pullback.ops.force import force
from pullback.typing import Batch, Matrix, Shape


def force_coarse(warped: Batch, gradient: Batch, mix: Matrix, shape: Shape) -> Batch:
    """See `pullback.ops.force_coarse`."""
    field = force(warped, gradient, mix)
    for axis, n in enumerate(shape, start=2):
        field = along(linear_reading(n, field.shape[axis]).T, field, axis)
    return field

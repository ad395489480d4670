"""`sample_coarse`, defined in torch."""

from pullback.ops._lines import refined
from pullback.ops.sample import sample
from pullback.typing import Batch, Matrix, Shape


def sample_coarse(
    image: Batch, matrix: Matrix, displacement: Batch, mix: Matrix, shape: Shape, outside: float | None
) -> Batch:
    """See `pullback.ops.sample_coarse`."""
    return sample(image, matrix.detach(), refined(displacement, shape), mix, outside=outside)

"""`sampled_mse`, defined in torch: one after the other."""

from pullback.ops.mse import reference as mse
from pullback.ops.sample import reference as sample
from pullback.typing import Batch, Float, Matrix, Tensor


def sampled_mse(
    fixed: Batch, moving: Batch, matrix: Matrix, displacement: Batch | None, mix: Matrix, weight: Batch | None
) -> Float[Tensor, " b"]:
    """See `pullback.ops.sampled_mse`."""
    shape = tuple(fixed.shape[2:])
    warped = sample.sample(moving, matrix, displacement, mix, shape=shape, interpolation="linear", outside=None)
    return mse.mse(fixed, warped, weight)

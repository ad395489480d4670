"""`mse`, defined in torch."""

from pullback.ops._mean import weighted_mean
from pullback.typing import Batch, Float, Tensor


def mse(fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
    """See `pullback.ops.mse`."""
    return weighted_mean((warped - fixed) ** 2, weight).mean(dim=1)

"""`mse` by the compiled kernels."""

from pullback.ops import _native
from pullback.ops._mean import LEAST
from pullback.ops._pairs import Moments, Slope, mean_loss, suits
from pullback.typing import Batch, Float, Tensor

available = _native.missing
supports = suits


def mse(fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
    """See `pullback.ops.mse`."""
    return mean_loss(fixed, warped, weight, _measure)


def _measure(m: Moments) -> tuple[float, Slope]:
    n = max(m.n, LEAST)
    return m.dd / n, (-2 / n, 2 / n, 0.0)

"""`ncc` by the compiled kernels."""

import math

from pullback.ops import _native
from pullback.ops._mean import LEAST
from pullback.ops._pairs import Moments, Slope, mean_loss, suits
from pullback.ops.ncc.reference import FLOOR
from pullback.typing import Batch, Float, Tensor

ROUNDING = 3e-7
"""A variance below this part of the mean square is what single precision makes of a constant image."""

available = _native.missing
supports = suits


def ncc(fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
    """See `pullback.ops.ncc`."""
    return mean_loss(fixed, warped, weight, _measure)


def _measure(m: Moments) -> tuple[float, Slope]:
    n = max(m.n, LEAST)
    mean_i, mean_d = m.i / n, m.d / n
    var_i, var_d, cov_d = max(m.ii / n - mean_i**2, 0.0), m.dd / n - mean_d**2, m.id / n - mean_i * mean_d
    cov, var_j, mean_j = var_i + cov_d, max(var_i + 2 * cov_d + var_d, 0.0), mean_i + mean_d
    if var_i <= ROUNDING * m.ii / n or var_j <= ROUNDING * (m.ii + 2 * m.id + m.dd) / n:
        return 1.0, (0.0, 0.0, 0.0)
    root = math.sqrt(var_i * var_j + FLOOR**2)
    of_fixed, of_warped = -1 / (root * n), cov * var_i / (root**3 * n)
    return 1 - cov / root, (of_fixed, of_warped, -of_fixed * mean_i - of_warped * mean_j)

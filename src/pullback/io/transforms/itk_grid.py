"""The grid that the fixed parameters of ITK's fields and B-splines describe."""

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.geometry import Grid, grid_of
from pullback.space import Space


def grid_from_fixed(fixed: np.ndarray, d: int, what: str) -> Grid:
    """Size, origin, spacing and direction, one after another.

    Raises:
        FileFormatError: too few or too many numbers, or numbers that are no grid.
    """
    if len(fixed) != d * (d + 3) or not np.isfinite(fixed).all():
        raise FileFormatError(f"{what} has {len(fixed)} fixed parameters; {d * (d + 3)} finite numbers are needed")
    size = tuple(int(n) for n in fixed[:d])
    if min(size) < 1 or any(n != f for n, f in zip(size, fixed[:d], strict=True)):
        raise FileFormatError(f"{what} declares a grid of {fixed[:d].tolist()} nodes")
    spacing = np.asarray(fixed[2 * d : 3 * d], np.float64)
    if spacing.min() <= 0:
        raise FileFormatError(f"{what} declares a spacing of {spacing.tolist()} mm")
    return Grid(size, spacing, np.asarray(fixed[d : 2 * d], np.float64), np.asarray(fixed[3 * d :]).reshape(d, d))


def fixed_from_space(space: Space) -> np.ndarray:
    """The opposite."""
    grid = grid_of(space)
    return np.concatenate([grid.size, grid.origin, grid.spacing, grid.direction.ravel()])

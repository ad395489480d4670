"""ITK's cubic B-spline transform, which is our BSpline where all the control points of a spline exist.

That is from the second node to the last but one along each axis. Beyond, ITK moves nothing and we repeat the edge, so
that a grid must lie within to be resampled alike.
"""

import math
from itertools import product

import numpy as np
import torch

from pullback.errors import FileFormatError
from pullback.io.geometry import grid_of, signs
from pullback.io.transforms.itk_grid import fixed_from_space, grid_from_fixed
from pullback.space import Space
from pullback.transforms import BSpline

FEWEST = 4
"""Control points that ITK needs along each axis."""
MARGIN = 1e-6
"""How far within the last spline a grid must lie, in steps of the control grid."""


def bspline_from_itk(parameters: np.ndarray, fixed: np.ndarray, d: int) -> BSpline:
    """The same spline; coefficients are kept in float32.

    Raises:
        FileFormatError: the parameters do not fit the grid of control points, or are not finite.
    """
    grid = grid_from_fixed(fixed, d, "BSplineTransform")
    if min(grid.size) < FEWEST:
        raise FileFormatError(f"BSplineTransform has a grid of {grid.size} control points; it needs 4 along each axis")
    if len(parameters) != d * math.prod(grid.size):
        raise FileFormatError(f"BSplineTransform has {len(parameters)} parameters for a grid of {grid.size}")
    values = np.asarray(parameters, np.float64).reshape(d, *grid.size[::-1])
    if not np.isfinite(values).all():
        raise FileFormatError("BSplineTransform has parameters that are not finite")
    values = values * signs(d)[:d].reshape(-1, *[1] * d)
    return BSpline(torch.from_numpy(values.astype(np.float32)), grid.space())


def bspline_to_itk(transform: BSpline) -> tuple[np.ndarray, np.ndarray]:
    """(parameters, fixed parameters) of ITK's BSplineTransform."""
    values = transform.coefficients.detach().cpu().numpy().astype(np.float64)
    d = transform.dimension
    return (values * signs(d)[:d].reshape(-1, *[1] * d)).ravel(), fixed_from_space(transform.space)


def fits_itk(transform: BSpline, onto: Space | None) -> bool:
    """Whether ITK can hold a spline and, where a grid is given, would read it alike at every voxel of it."""
    shape = transform.space.shape
    if min(shape) < FEWEST or grid_of(transform.space).sheared:
        return False
    if onto is None:
        return True
    ends = torch.tensor(list(product(*[(0.0, n - 1.0) for n in onto.shape])), dtype=torch.float64)
    at = transform.space.to_voxels(onto.to_world(ends))
    last = torch.tensor(shape, dtype=torch.float64) - 2
    return bool(((at >= 1 + MARGIN) & (at <= last - MARGIN)).all())

"""ITK's cubic B-spline transform, read as a displacement field that is dense enough to replace it.

ITK's BSplineTransform adds a cubic spline of vectors inside the region where all the control points of a spline exist:
from the second node to the last but one on each axis. The spline is sampled k times between nodes. The second
derivative of a cubic spline is at most the largest second difference of its coefficients, so that reading the samples
linearly errs by at most  sum over axes of |second difference| / (8 k^2): k follows from the error wanted.
"""

import math
import warnings

import numpy as np
import torch

from pullback.errors import FileFormatError, PullbackWarning
from pullback.io.geometry import Grid, signs
from pullback.io.transforms.itk_grid import grid_from_fixed
from pullback.transforms import Displacement

ERROR_MM = 1e-3
MOST_VOXELS = 4_000_000
TOLD_MM = 0.05


def bspline_to_displacement(parameters: np.ndarray, fixed: np.ndarray, d: int) -> Displacement:
    """The spline as a field whose linear reading is right to `ERROR_MM`, or as near as `MOST_VOXELS` allow.

    Raises:
        FileFormatError: the parameters do not fit the grid of control points.
    """
    grid = grid_from_fixed(fixed, d, "BSplineTransform")
    if min(grid.size) < 4:
        raise FileFormatError(f"BSplineTransform has a grid of {grid.size} control points; it needs 4 along each axis")
    if len(parameters) != d * math.prod(grid.size):
        raise FileFormatError(f"BSplineTransform has {len(parameters)} parameters for a grid of {grid.size}")
    coefficients = torch.from_numpy(np.asarray(parameters, np.float64)).reshape(d, *grid.size[::-1])
    bend = sum(float(coefficients.diff(n=2, dim=axis).abs().max()) for axis in range(1, d + 1)) / 8
    k = max(1, math.ceil(math.sqrt(bend / ERROR_MM)))
    while k > 1 and math.prod((n - 3) * k + 1 for n in grid.size) > MOST_VOXELS:
        k -= 1
    if bend / k**2 > TOLD_MM:
        warnings.warn(f"a B-spline transform is read as a dense field, right to {bend / k**2:.2g} mm", PullbackWarning,
                      stacklevel=2)  # fmt: skip
    field = coefficients
    for axis in range(1, d + 1):
        field = torch.tensordot(_weights(field.shape[axis], k), field, dims=([1], [axis])).movedim(0, axis)
    field = field * torch.from_numpy(signs(d)[:d]).view(-1, *[1] * d)
    size = tuple((n - 3) * k + 1 for n in grid.size)
    origin = grid.origin + grid.direction @ grid.spacing  # node 1 of each axis
    space = Grid(size, grid.spacing / k, origin, grid.direction).space()
    return Displacement(field.to(torch.float32).contiguous(), space)


def _weights(nodes: int, k: int) -> torch.Tensor:
    """((nodes - 3) k + 1, nodes): cubic B-spline weights of the nodes at 1, 1 + 1/k, ... nodes - 2."""
    at = 1 + torch.arange((nodes - 3) * k + 1, dtype=torch.float64) / k
    cell = at.floor().clamp(max=nodes - 3)
    u = at - cell
    four = torch.stack([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3], dim=1) / 6
    columns = cell.long()[:, None] + torch.arange(-1, 3)
    return torch.zeros(len(at), nodes, dtype=torch.float64).scatter_(1, columns, four)

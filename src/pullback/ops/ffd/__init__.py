"""Free-form deformation: cubic B-splines of a coarse grid of control points, read at every voxel."""

import math

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.ops.ffd.fit import ffd_fit
from pullback.typing import Batch, PerAxis, Shape, Tensor

__all__ = ["ffd", "ffd_fit"]


def ffd(coefficients: Batch, shape: Shape, scale: PerAxis, offset: PerAxis) -> Batch:
    """The sum over control points k of coefficient(k) times B(p - k) along every axis, at p(v) = scale v + offset.

    B is the cubic B-spline, and p is in steps of the control grid, one scale and one offset for each axis, so that the
    spacing of the control points need not be a whole number of voxels. Beyond the control grid its edge is repeated:
    equal coefficients give a constant everywhere, and linear ones a linear function where 1 <= p <= m - 2 along each
    axis of m control points. Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999.

    Args:
        coefficients: (b, c, *control), in any unit.
        shape: of the grid of voxels.
        scale: steps of the control grid for each voxel, along each axis.
        offset: where the first voxel lies on the control grid, along each axis.

    Returns:
        (b, c, *shape), in the same unit; differentiable in the coefficients.

    Raises:
        InputError: there is not one size, finite scale and finite offset for each axis of the control grid.
    """
    d = coefficients.ndim - 2
    numbers = [float(v) for v in (*scale, *offset)]
    if not len(shape) == len(scale) == len(offset) == d or not all(map(math.isfinite, numbers)) or min(shape) < 1:
        raise InputError(f"ffd needs a size >= 1, a scale and an offset for each of {d} axes; got {tuple(shape)}, "
                         f"{tuple(scale)}, {tuple(offset)}")  # fmt: skip
    row = _dispatch.choose("ffd", coefficients)
    result: Tensor = row(coefficients, tuple(shape), tuple(numbers[:d]), tuple(numbers[d:]))
    return result

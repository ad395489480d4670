"""The other way: the coefficients whose spline comes nearest to a dense field."""

from functools import lru_cache

import torch

from pullback.ops._lines import along
from pullback.ops.ffd.weights import matrix
from pullback.typing import Batch, Float, PerAxis, Shape, Tensor


def ffd_fit(dense: Batch, control: Shape, scale: PerAxis, offset: PerAxis) -> Batch:
    """The coefficients of least squares: those with which `ffd` comes nearest to a dense field, (b, c, *control).

    Axis by axis, which on a grid is the same as all at once. Where the voxels do not determine the coefficients, those
    of least norm are given.

    Args:
        dense: (b, c, *shape).
        control: number of control points along each axis.
        scale: steps of the control grid for each voxel, along each axis; see `ffd`.
        offset: where the first voxel lies on the control grid, along each axis.
    """
    for axis, (m, s, o) in enumerate(zip(control, scale, offset, strict=True), start=2):
        dense = along(_fitting(dense.shape[axis], int(m), float(s), float(o)), dense, axis)
    return dense


@lru_cache(maxsize=64)
def _fitting(n: int, m: int, scale: float, offset: float) -> Float[Tensor, "m n"]:
    inverse: Tensor = torch.linalg.pinv(matrix(n, m, scale, offset))
    return inverse

"""The spline of `ffd` at any places: wherever `sample` could read an image, and at lists of points."""

import torch

from pullback.ops import _dispatch
from pullback.ops.ffd_sample.slopes import ffd_slopes
from pullback.ops.sample import checked_shape
from pullback.typing import Batch, Float, Matrix, Shape, Tensor

__all__ = ["ffd_points", "ffd_sample", "ffd_slopes"]


def ffd_sample(
    coefficients: Batch,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    *,
    shape: Shape | None = None,
) -> Batch:
    """The spline of `ffd` at p(v) = matrix[:, :-1] v + matrix[:, -1] + mix d(v), in steps of the control grid.

    Beyond the control grid its edge is repeated, and a position that is not a number reads the first control point.

    Args:
        coefficients: (b, c, *control), or b = 1 to read one spline at several sets of places.
        matrix: (D, D+1) output voxel -> control grid, or (b, D, D+1); no gradient flows back to it.
        displacement: (b, D, *shape), added through `mix`.
        mix: (D, D), what one unit of displacement is in steps of the control grid; the identity by default. No gradient
            flows back to it.
        shape: the output's spatial shape; taken from the displacement where there is one.

    Returns:
        (b, c, *shape), in the coefficients' unit; differentiable in coefficients and displacement.

    Raises:
        InputError: neither shape nor displacement is given, or dimensions or batches disagree.
    """
    shape = checked_shape(coefficients, matrix, displacement, mix, shape)
    mix = torch.eye(len(shape), dtype=torch.float64) if mix is None else mix.detach()
    row = _dispatch.choose("ffd_sample", coefficients, displacement)
    result: Tensor = row(coefficients, matrix.detach(), displacement, mix, shape)
    return result


def ffd_points(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """The spline at any list of positions in steps of the control grid; differentiable in coefficients and positions.

    Beyond the control grid its edge is repeated, and a position that is not a number reads the first control point.
    """
    d = at.shape[1]
    displacement = at.T.reshape(1, d, *[1] * (d - 1), -1) if len(at) else at.new_zeros(1, d, *[1] * (d - 1), 0)
    matrix = torch.zeros(d, d + 1, dtype=torch.float64)
    return ffd_sample(coefficients[None], matrix, displacement).reshape(len(coefficients), len(at)).T

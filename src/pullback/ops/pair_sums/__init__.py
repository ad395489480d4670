"""Sums of two images and of the slopes between them: the loss of a least-squares fit, its gradient and its curvature.

Mean squared difference and correlation depend on where a matrix puts an image through these few numbers alone, so that
one pass over the images gives all that an optimiser asks, and no warped image is stored.
"""

from __future__ import annotations

from typing import NamedTuple

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.ops.sample import checked_shape
from pullback.typing import Batch, Float, Matrix, Tensor


class PairSums(NamedTuple):
    """Sums over the voxels v of one channel that are read from inside the moving image, each as much as it counts.

    With i the fixed value less the level, d the moving value less the fixed one, s the slope of the moving image along
    its own axes (0 beyond its outermost voxel centres), q = (v, 1) and u the displacement.

    Attributes:
        moments: (6,), of 1, i, d, i i, d d, i d.
        by_matrix: (3, D, D+1), of c s q for c = 1, i, d: what the matrix changes.
        by_mix: (3, D, D), of c s u: what the mix changes; 0 without a displacement.
        curvature: (D, D+1, D, D+1), of (s q)(s q).
    """

    moments: Float[Tensor, "6"]
    by_matrix: Float[Tensor, "3 d e"]
    by_mix: Float[Tensor, "3 d d"]
    curvature: Float[Tensor, "d e d e"]


def pair_sums(
    fixed: Batch,
    moving: Batch,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    weight: Batch | None = None,
    level: float = 0.0,
) -> PairSums:
    """The sums over two images of one channel, the moving one read as `ops.sample` reads it; no gradient flows back.

    Args:
        fixed: (1, 1, *shape).
        moving: (1, 1, *spatial).
        matrix: (D, D+1), voxels of the fixed image -> voxels of the moving one.
        displacement: (1, D, *shape), added through `mix`.
        mix: (D, D).
        weight: (1, 1, *shape), how much each voxel counts.
        level: taken off the fixed image for the sake of rounding: about its mean.

    Returns:
        See `PairSums`; double precision.

    Raises:
        InputError: the images are not one pair of one channel, or the shapes disagree.
    """
    if fixed.shape[:2] != (1, 1) or moving.shape[:2] != (1, 1) or fixed.ndim != moving.ndim:
        raise InputError("pair_sums needs two images of shape (1, 1, *spatial) and one dimension; got "
                         f"{tuple(fixed.shape)} and {tuple(moving.shape)}")  # fmt: skip
    if weight is not None and weight.shape != fixed.shape:
        raise InputError(
            f"the weight must have the fixed image's shape {tuple(fixed.shape)}; got {tuple(weight.shape)}"
        )
    shape = checked_shape(moving, matrix, displacement, mix, tuple(fixed.shape[2:]))
    if shape != tuple(fixed.shape[2:]):
        raise InputError(f"the displacement must have the fixed image's shape {tuple(fixed.shape[2:])}; got {shape}")
    row = _dispatch.choose("pair_sums", fixed, moving, displacement, weight)
    result: PairSums = row(fixed, moving, matrix, displacement, mix, weight, level)
    return result

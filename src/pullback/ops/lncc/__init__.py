"""Signed local normalised cross-correlation."""

import math

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Float, Shape, Tensor

FLOOR = 1e-3
"""A variance that every box shares with its partner, of images scaled to about [0, 1]: boxes flat in both images agree,
a flat box agrees with no other, and identical images are a true optimum, however faint they are. Contrast of less than
about 3 % of the full range counts little, so that noise in air and in even tissue does not pull."""


def lncc(
    fixed: Batch,
    warped: Batch,
    radius_voxels: Shape,
    weight: Batch | None = None,
    floor: float = FLOOR,
    threshold: float = math.inf,
) -> Float[Tensor, " b"]:
    """1 minus the mean over voxels of sign(cov) cov^2 / (var var), each over a box of 2 radius + 1 voxels.

    A small variance, the floor, is added to all three, so that boxes that are flat in both images agree.
    With a threshold t, each voxel's 1 - sign(cov) cov^2 / (var var) = r counts as (1 + 1 / t) r / (1 + r / t): Geman
    and McClure's function of a residual whose square is r, with 1 still 1. A box that fits nothing pulls no more.
    The sign matters: the unsigned square is just as happy with opposed contrast. Boxes are cut off at the border.
    Avants et al., Medical Image Analysis 12(1), 2008, give the squared form.

    Args:
        fixed: (b, c, *spatial).
        warped: (b, c, *spatial).
        radius_voxels: half width of the box along each axis; 0 for no neighbours along it.
        weight: (b, 1, *spatial) in [0, 1]: how much each voxel counts, both in its neighbours' boxes and in the mean.
        floor: that variance; the default suits images scaled to about [0, 1].
        threshold: t, where unlikeness begins to count less; never by default.

    Returns:
        (b,): 0 is perfect, 1 is no relation, 2 is perfect opposition; differentiable in `warped` and `fixed`.

    Raises:
        InputError: the shapes disagree, there is not one radius for each axis, or the floor is not positive.
    """
    if fixed.shape[1:] != warped.shape[1:] or len(radius_voxels) != fixed.ndim - 2:
        raise InputError(f"lncc needs two images of one shape and a radius per axis; got {tuple(fixed.shape)}, "
                         f"{tuple(warped.shape)}, {tuple(radius_voxels)}")  # fmt: skip
    if weight is not None and (weight.shape[1] != 1 or weight.shape[2:] != fixed.shape[2:]):
        raise InputError(
            f"the weight must be (b, 1, {', '.join(map(str, fixed.shape[2:]))}); got {tuple(weight.shape)}"
        )
    if not (floor > 0 and threshold > 0):
        raise InputError(f"the floor of lncc's variances and its threshold must be positive; got {floor}, {threshold}")
    result: Tensor = _dispatch.choose("lncc", fixed, warped, weight, threshold=threshold)(
        fixed, warped, tuple(radius_voxels), weight, floor, threshold
    )
    return result

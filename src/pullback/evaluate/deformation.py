"""What a transform does to space: volume change, folding, size, and whether its inverse undoes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import InputError
from pullback.evaluate.nondiffeomorphic import negative_volume
from pullback.evaluate.points import checked_mask
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Float, Shaped, Tensor

SMALLEST_JACOBIAN = 1e-9
L2R_SHIFT, L2R_RANGE, L2R_BORDER = 3.0, (1e-9, 1e9), 2
"""Of the Learn2Reg challenge's SDlogJ: log(J + 3), within bounds, two voxels of border left out."""


@dataclass(frozen=True)
class DeformationSummary:
    """Numbers about a whole map T on a grid. J is the Jacobian determinant of x -> T(x), affine part included.

    Attributes:
        jacobian_min: smallest J: 1 keeps volume, 0.5 halves it, 0 or less is a fold.
        jacobian_max: largest J.
        jacobian_mean: mean J.
        fold_percent: 100 times the part of the voxels with J <= 0.
        sdlogj: standard deviation of log(max(J, 1e-9)), over all voxels.
        sdlogj_l2r: what the Learn2Reg challenge publishes as SDlogJ: the standard deviation of log(J + 3), without the
            two outermost voxels of each axis (of axes that have five or more). About a quarter of `sdlogj`; NaN where
            the mask lies in that border alone.
        ndv_percent: non-diffeomorphic volume, in percent of the voxels: how much of the grid, cut into tetrahedra
            (triangles in 2D), is turned inside out; see `nondiffeomorphic`. It also sees what central differences miss.
        largest_mm: length of the longest displacement T(x) - x.
        mean_mm: mean length of the displacement.
        inverse_mean_mm: mean of |T^-1(T(x)) - x|; None when it was not asked for.
        inverse_max_mm: largest of it.
    """

    jacobian_min: float
    jacobian_max: float
    jacobian_mean: float
    fold_percent: float
    sdlogj: float
    sdlogj_l2r: float
    ndv_percent: float
    largest_mm: float
    mean_mm: float
    inverse_mean_mm: float | None = None
    inverse_max_mm: float | None = None


def deformation(
    transform: Transform, space: Space, mask: Shaped[Tensor, "*spatial"] | None = None, inverse: bool = False
) -> DeformationSummary:
    """A summary of a transform on a grid.

    J is taken from central differences of the map at the voxel centres, one-sided at the border of the grid, and none
    along an axis of one voxel. Central differences do not see a fold that alternates from voxel to voxel; `ndv_percent`
    does.

    Args:
        transform: fixed world -> moving world.
        space: the grid, usually the fixed image's.
        mask: (*space.shape), the voxels that count; all by default. Differences may reach one voxel outside it.
        inverse: also invert the transform at every voxel, and measure how well that undoes it. It can take seconds.

    Raises:
        InputError: dimensions differ, or the mask does not fit or is empty.

    Example:
        >>> from pullback.transforms import Affine
        >>> summary = deformation(Affine.similarity(0.9), Space.of_array((8, 8)))
        >>> round(summary.jacobian_mean, 3), summary.fold_percent
        (0.81, 0.0)
    """
    if transform.dimension != space.dimension:
        raise InputError(f"a {transform.dimension}D transform cannot be measured on {space!r}")
    displacement = transform.displace(space).detach()
    inside = torch.ones(space.shape, dtype=torch.bool) if mask is None else checked_mask(mask, space)
    inside = inside.to(displacement.device)
    volumes = jacobian_map(displacement, space)
    volume = volumes[inside].to(torch.float64)
    length = displacement.norm(dim=0)[inside].to(torch.float64)
    undone = inverse_consistency(transform, transform.inverse(), space)[inside].to(torch.float64) if inverse else None
    return DeformationSummary(
        jacobian_min=float(volume.min()),
        jacobian_max=float(volume.max()),
        jacobian_mean=float(volume.mean()),
        fold_percent=100 * float((volume <= 0).to(torch.float64).mean()),
        sdlogj=float(volume.clamp(min=SMALLEST_JACOBIAN).log().std(correction=0)),
        sdlogj_l2r=_sdlogj_l2r(volumes, inside),
        ndv_percent=100 * float(negative_volume(displacement, space)[inside].to(torch.float64).mean()),
        largest_mm=float(length.max()),
        mean_mm=float(length.mean()),
        inverse_mean_mm=None if undone is None else float(undone.mean()),
        inverse_max_mm=None if undone is None else float(undone.max()),
    )


def jacobian_map(displacement: Float[Tensor, "d *spatial"], space: Space) -> Float[Tensor, "*spatial"]:
    """The Jacobian determinant of x -> x + displacement(x) at every voxel of its grid.

    Args:
        displacement: mm along the world axes.
        space: the grid.

    Example:
        >>> space = Space.of_array((4, 4))
        >>> float(jacobian_map(torch.zeros(2, 4, 4), space).mean())
        1.0
    """
    return ops.jacobian(displacement[None], space.inverse[:-1, :-1])[0]


def inverse_consistency(transform: Transform, backward: Transform, space: Space) -> Float[Tensor, "*spatial"]:
    """|B(T(x)) - x| in mm at every voxel centre x of a grid: how far from home the way there and back ends.

    Christensen and Johnson, IEEE Transactions on Medical Imaging 20(7), 2001. Needed, and not enough: two wrong maps
    can be each other's inverse.

    Args:
        transform: T, fixed world -> moving world.
        backward: B, moving world -> fixed world: found by a registration the other way round, or `transform.inverse()`.
        space: the grid, usually the fixed image's.

    Raises:
        InputError: dimensions differ.

    Example:
        >>> from pullback.transforms import Affine
        >>> there, back = Affine.translation([3.0, 0.0]), Affine.translation([-2.0, 0.0])
        >>> float(inverse_consistency(there, back, Space.of_array((4, 4))).max())
        1.0
    """
    if not transform.dimension == backward.dimension == space.dimension:
        raise InputError(f"a {transform.dimension}D transform and a {backward.dimension}D one back cannot be measured "
                         f"on {space!r}")  # fmt: skip
    gap: Tensor = backward.displace(space, transform.displace(space).detach()).norm(dim=0)
    return gap


def _sdlogj_l2r(volumes: Tensor, inside: Tensor) -> float:
    cut = tuple(slice(L2R_BORDER, -L2R_BORDER) if n > 2 * L2R_BORDER else slice(None) for n in volumes.shape)
    counted = volumes[cut][inside[cut]].to(torch.float64)
    if counted.numel() == 0:
        return math.nan
    return float((counted + L2R_SHIFT).clamp(*L2R_RANGE).log().std(correction=0))

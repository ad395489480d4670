"""Errors in millimetres: at landmarks, and against a known transform."""

import torch

from pullback.errors import InputError
from pullback.image import Points
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Float, Shaped, Tensor


def target_registration_error(transform: Transform, fixed_points: Points, moving_points: Points) -> Float[Tensor, " n"]:
    """|T(x) - y| in mm for each pair of landmarks, x in the fixed image and y in the moving one.

    Fitzpatrick, West and Maurer, IEEE Transactions on Medical Imaging 17(5), 1998.

    Args:
        transform: fixed world -> moving world.
        fixed_points: landmarks in the fixed world.
        moving_points: the same landmarks, in the same order, in the moving world.

    Raises:
        InputError: there are not as many of one as of the other, or the dimensions differ.

    Example:
        >>> from pullback.transforms import Affine
        >>> origin, shifted = Points(torch.zeros(1, 2)), Points(torch.tensor([[3.0, 4.0]]))
        >>> target_registration_error(Affine.identity(2), origin, shifted)
        tensor([5.], dtype=torch.float64)
    """
    x, y = fixed_points.world, moving_points.world
    if x.shape != y.shape:
        raise InputError(f"each fixed landmark needs its moving one; got {tuple(x.shape)} and {tuple(y.shape)}")
    error: Tensor = (transform(x.to(torch.float64)) - y.to(torch.float64)).norm(dim=1)
    return error


def end_point_error(
    transform: Transform, truth: Transform, space: Space, mask: Shaped[Tensor, "*spatial"] | None = None
) -> Float[Tensor, "*spatial"]:
    """|T(x) - truth(x)| in mm at every voxel centre x of a grid.

    Args:
        transform: fixed world -> moving world.
        truth: the map that is known to be right.
        space: the grid, usually the fixed image's.
        mask: (*space.shape), where to look; NaN is given elsewhere. Everywhere by default.

    Raises:
        InputError: the mask does not have the shape of the space, or the dimensions differ.

    Example:
        >>> from pullback.transforms import Affine
        >>> space = Space.of_array((4, 4))
        >>> end_point_error(Affine.identity(2), Affine.translation([3.0, 4.0]), space).max()
        tensor(5.)
    """
    if not transform.dimension == truth.dimension == space.dimension:
        raise InputError(
            f"cannot compare a {transform.dimension}D transform with a {truth.dimension}D one on {space!r}"
        )
    error: Tensor = (transform.displace(space) - truth.displace(space)).norm(dim=0)
    return error if mask is None else error.where(checked_mask(mask, space), torch.nan)


def checked_mask(mask: Shaped[Tensor, "*spatial"], space: Space) -> Tensor:
    """The mask as booleans.

    Raises:
        InputError: it has another shape than the space, or nothing in it.
    """
    if tuple(mask.shape) != space.shape:
        raise InputError(f"a mask of shape {tuple(mask.shape)} does not fit {space!r}")
    inside = mask > 0 if mask.dtype != torch.bool else mask
    if not bool(inside.any()):
        raise InputError("the mask is empty; nothing can be measured in it")
    return inside

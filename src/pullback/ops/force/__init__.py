"""How a similarity pulls at each voxel of a warped image."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Matrix, Tensor


def force(warped: Batch, gradient: Batch, mix: Matrix) -> Batch:
    """The gradient of a loss with respect to a small displacement s that is applied before the warp: w(v + mix s(v)).

    That is the loss's gradient at each voxel times the slope of the warped image there (half the difference of the
    neighbours, the edge repeated), summed over the channels. No reading of the moving image is needed for it.

    Args:
        warped: (b, c, *spatial), the moving image pulled back.
        gradient: (b, c, *spatial), of the loss with respect to it.
        mix: (D, D), what one unit of displacement is in voxels (for mm: the inverse of the grid's linear part).

    Returns:
        (b, D, *spatial), loss per unit of displacement; not differentiable.

    Raises:
        InputError: the shapes disagree.
    """
    d = warped.ndim - 2
    if warped.shape != gradient.shape or tuple(mix.shape) != (d, d):
        raise InputError(f"force needs an image and a gradient of one shape and a ({d}, {d}) mix; got "
                         f"{tuple(warped.shape)}, {tuple(gradient.shape)} and {tuple(mix.shape)}")  # fmt: skip
    warped, gradient = warped.detach(), gradient.detach()
    result: Tensor = _dispatch.choose("force", warped, gradient)(warped, gradient, mix)
    return result

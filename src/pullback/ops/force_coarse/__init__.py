"""How a similarity pulls at a displacement on a coarser grid."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Matrix, Shape, Tensor


def force_coarse(warped: Batch, gradient: Batch, mix: Matrix, shape: Shape) -> Batch:
    """The gradient of a loss with respect to a small displacement on a coarser grid that is applied before the warp.

    That is `force`, gathered by the transpose of reading the coarse grid linearly at every voxel, without storing the
    fine field.

    Args:
        warped: (b, c, *spatial), the moving image pulled back.
        gradient: (b, c, *spatial), of the loss with respect to it.
        mix: (D, D), what one unit of displacement is in voxels of the fine grid.
        shape: of the coarse grid over the same field of view, no axis finer.

    Returns:
        (b, D, *shape), loss per unit of displacement; not differentiable.

    Raises:
        InputError: the shapes disagree.
    """
    d, size = warped.ndim - 2, tuple(warped.shape[2:])
    if warped.shape != gradient.shape or tuple(mix.shape) != (d, d):
        raise InputError(f"force_coarse needs an image and a gradient of one shape and a ({d}, {d}) mix; got "
                         f"{tuple(warped.shape)}, {tuple(gradient.shape)} and {tuple(mix.shape)}")  # fmt: skip
    if len(shape) != d or min(shape) < 1 or any(a > b for a, b in zip(shape, size, strict=True)):
        raise InputError(f"force_coarse needs a grid no finer than the image; got {tuple(shape)} for {size}")
    warped, gradient = warped.detach(), gradient.detach()
    result: Tensor = _dispatch.choose("force_coarse", warped, gradient)(warped, gradient, mix, tuple(shape))
    return result

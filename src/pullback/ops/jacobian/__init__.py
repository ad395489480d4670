"""The Jacobian determinant of x -> x + u(x): local volume change, and where it is not positive, folding."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Float, Matrix, Tensor


def jacobian(displacement: Batch, mix: Matrix) -> Float[Tensor, "b *spatial"]:
    """det(I + du/dx) at every voxel: central differences inside, one-sided at the border, none along an axis of one.

    Args:
        displacement: (b, D, *shape).
        mix: (D, D), what one unit of displacement is in voxels (for mm: the inverse of the grid's linear part).

    Returns:
        (b, *shape), differentiable.

    Raises:
        InputError: the field does not have one component for each axis.
    """
    if displacement.shape[1] != displacement.ndim - 2:
        raise InputError(f"a displacement needs one component per axis; got the shape {tuple(displacement.shape)}")
    result: Tensor = _dispatch.choose("jacobian", displacement)(displacement, mix)
    return result

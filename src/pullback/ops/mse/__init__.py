"""Mean squared difference."""

from pullback.ops import _dispatch
from pullback.ops._pairs import check_pair
from pullback.typing import Batch, Float, Tensor


def mse(fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
    """The weighted mean over voxels of (warped - fixed)^2, and of that over the channels.

    Args:
        fixed: (b, c, *spatial).
        warped: (b, c, *spatial).
        weight: (b, 1, *spatial), how much each voxel counts.

    Returns:
        (b,), differentiable in both images; 0 where nothing has any weight.

    Raises:
        InputError: the shapes disagree.
    """
    check_pair(fixed, warped, weight, "mse")
    result: Tensor = _dispatch.choose("mse", fixed, warped, weight)(fixed, warped, weight)
    return result

"""Normalised cross-correlation over the whole image."""

from pullback.ops import _dispatch
from pullback.ops._pairs import check_pair
from pullback.typing import Batch, Float, Tensor


def ncc(fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
    """1 - cov(fixed, warped) / (sd sd), weighted; the mean over the channels.

    Args:
        fixed: (b, c, *spatial).
        warped: (b, c, *spatial).
        weight: (b, 1, *spatial), how much each voxel counts.

    Returns:
        (b,), differentiable in both images: 0 is perfect, 1 is no relation (also for a constant image), 2 is perfect
        opposition.

    Raises:
        InputError: the shapes disagree.
    """
    check_pair(fixed, warped, weight, "ncc")
    result: Tensor = _dispatch.choose("ncc", fixed, warped, weight)(fixed, warped, weight)
    return result

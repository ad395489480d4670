"""The joint histogram of two images: what mutual information sees."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Float, Tensor


def joint_histogram(
    fixed: Batch, warped: Batch, bins: int, weight: Batch | None = None
) -> Float[Tensor, "_b {bins} {bins}"]:
    """Probabilities p(fixed bin, warped bin) of two images with values in [0, 1], summing to one.

    Each voxel falls into one fixed bin and is spread over four warped bins by a cubic B-spline (Parzen window), which
    makes the histogram smooth in `warped`. Mattes et al., IEEE Transactions on Medical Imaging 22(1), 2003.

    Args:
        fixed: (b, 1, *spatial), values in [0, 1]; others are clamped, and what is not a number counts as 0.
        warped: (b, 1, *spatial), likewise.
        bins: number of bins for each image, at least 5.
        weight: (b, 1, *spatial), how much each voxel counts.

    Returns:
        (b, bins, bins), rows fixed; differentiable in `warped`.

    Raises:
        InputError: the shapes disagree, there is more than one channel, or too few bins.
    """
    if fixed.shape[1:] != warped.shape[1:] or fixed.shape[1] != 1:
        raise InputError(f"a joint histogram needs two images of one channel and one shape; got {tuple(fixed.shape)} "
                         f"and {tuple(warped.shape)}")  # fmt: skip
    if weight is not None and weight.shape[1:] != fixed.shape[1:]:
        raise InputError(f"the weight must have the images' shape {tuple(fixed.shape)}; got {tuple(weight.shape)}")
    if bins < 5:
        raise InputError(f"a joint histogram needs at least 5 bins; got {bins}")
    result: Tensor = _dispatch.choose("joint_histogram", fixed, warped, weight)(fixed, warped, bins, weight)
    return result

"""Gaussian smoothing along each axis in turn."""

import math

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, PerAxis, Tensor


def smooth(image: Batch, sigma_voxels: PerAxis) -> Batch:
    """`image` convolved with a Gaussian, its edge repeated; weights sum to one.

    Args:
        image: (b, c, *spatial).
        sigma_voxels: standard deviation along each axis, in voxels of that axis; 0 leaves the axis alone.

    Returns:
        A tensor of the same shape, differentiable in the image.

    Raises:
        InputError: there is not one non-negative sigma for each axis.
    """
    sigmas = tuple(float(s) for s in sigma_voxels)
    if len(sigmas) != image.ndim - 2 or not all(0 <= s < math.inf for s in sigmas):
        raise InputError(f"smoothing a {image.ndim - 2}D image needs one finite sigma >= 0 for each axis; got {sigmas}")
    result: Tensor = _dispatch.choose("smooth", image)(image, sigmas)
    return result

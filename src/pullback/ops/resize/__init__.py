"""Cut the same field of view into another number of voxels, without aliasing."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Shape, Tensor


def resize(image: Batch, shape: Shape) -> Batch:
    """`image` on a grid of `shape` voxels over the same field of view.

    An axis that shrinks by a factor f > 1 is first smoothed by a Gaussian of sigma = sqrt(f^2 - 1) / 2 voxels, which
    takes a point spread of half a voxel of the old grid to half a voxel of the new; then it is read linearly.

    Args:
        image: (b, c, *spatial).
        shape: the new spatial shape.

    Returns:
        (b, c, *shape), differentiable in the image.

    Raises:
        InputError: the shape has another number of axes.
    """
    if len(shape) != image.ndim - 2 or min(shape) < 1:
        raise InputError(f"cannot resize a {image.ndim - 2}D image to the shape {tuple(shape)}")
    result: Tensor = _dispatch.choose("resize", image)(image, tuple(shape))
    return result

"""MIND: what the surroundings of each voxel look like, told without saying how bright anything is."""

from itertools import combinations
from typing import Literal, TypeAlias, get_args

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Shape, Tensor

Form: TypeAlias = Literal["ssc", "plain"]
"""Which patches are compared: neighbours with each other (self-similarity context), or each with the voxel's own."""


def mind(image: Batch, radius_voxels: Shape, dilation_voxels: Shape, form: Form = "ssc") -> Batch:
    """exp(-(D_k - min D) / V) for each pair k of patches about a voxel, with D_k their mean squared difference.

    The patches are boxes of 2 radius + 1 voxels, cut off at the border, about the voxels that are `dilation` away along
    each axis. V, the local noise, is the mean of D_k - min D over the pairs, held within 0.001 and 1000 times its own
    mean over the image. "ssc" compares the neighbours whose axes differ: Heinrich et al., MICCAI 2013, LNCS 8149, 12
    channels in 3-D (4 in 2-D). "plain" compares each neighbour with the middle: Heinrich et al., Medical Image Analysis
    16(7), 2012, 6 channels (4). Beyond its border the image repeats its edge; a constant image gives ones.

    Args:
        image: (b, c, *spatial).
        radius_voxels: half width of the patches along each axis.
        dilation_voxels: how far off the neighbours are along each axis; 0 for an axis not to be looked along.
        form: "ssc" or "plain".

    Returns:
        (b, c K, *spatial) in (0, 1], the K channels of an image's first channel first; differentiable in the image.

    Raises:
        InputError: there is not one radius and one dilation >= 0 for each axis, or no such form.
    """
    d = image.ndim - 2
    for name, numbers in (("radius", radius_voxels), ("dilation", dilation_voxels)):
        if len(numbers) != d or min(numbers) < 0:
            raise InputError(f"mind needs one {name} >= 0 for each of {d} axes; got {tuple(numbers)}")
    if form not in get_args(Form):
        raise InputError(f"there is no form {form!r} of mind; choose one of {', '.join(get_args(Form))}")
    pairs = offsets(tuple(dilation_voxels), form)
    result: Tensor = _dispatch.choose("mind", image)(image, tuple(radius_voxels), pairs)
    return result


Pairs: TypeAlias = tuple[tuple[Shape, Shape], ...]
"""For each channel, where its two patches lie, in voxels from the middle."""


def offsets(dilation: Shape, form: Form) -> Pairs:
    """The patches that each channel compares.

    Example:
        >>> offsets((0, 2), "plain")
        (((0, 0), (0, 0)), ((0, 0), (0, 0)), ((0, -2), (0, 0)), ((0, 2), (0, 0)))
    """
    d = len(dilation)
    steps = [
        (axis, tuple(sign * dilation[a] if a == axis else 0 for a in range(d))) for axis in range(d) for sign in (-1, 1)
    ]
    if form == "plain":
        return tuple((step, (0,) * d) for _, step in steps)
    return tuple((first, second) for (a, first), (b, second) in combinations(steps, 2) if a != b)

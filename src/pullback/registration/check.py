"""check: refuse, with a sentence, what cannot be registered."""

from __future__ import annotations

import math

import torch

from pullback.errors import InputError, SpaceError
from pullback.image import Image
from pullback.transforms import Transform

FEWEST_VOXELS = 4


def check(
    fixed: Image,
    moving: Image,
    initial: Transform | None,
    fixed_mask: Image | None,
    moving_mask: Image | None,
) -> None:
    """Raise an InputError that says what is wrong, what was got, and what to do."""
    if fixed.dimension != moving.dimension:
        raise InputError(f"fixed is {fixed.dimension}D but moving is {moving.dimension}D; pass two images of equal "
                         "dimension (choose a slice or a frame first)")  # fmt: skip
    if fixed.channels != moving.channels:
        raise InputError(f"fixed has {fixed.channels} channel(s) but moving has {moving.channels}; pass images with "
                         "the same channels, or choose one of them")  # fmt: skip
    if initial is not None and initial.dimension != fixed.dimension:
        raise InputError(f"the images are {fixed.dimension}D but the initial transform is {initial.dimension}D")
    for name, image, mask in (("fixed", fixed, fixed_mask), ("moving", moving, moving_mask)):
        _check_image(name, image)
        if mask is not None:
            _check_mask(name, image, mask)


def _check_mask(name: str, image: Image, mask: Image) -> None:
    if mask.dimension != image.dimension or not mask.space.same_as(image.space, tolerance_voxels=0.05):
        raise SpaceError(f"the {name} mask lies on {mask.space!r} but the {name} image on {image.space!r}; resample "
                         "the mask onto the image first")  # fmt: skip
    if not bool(torch.isfinite(mask.data).all()):
        raise InputError(
            f"the {name} mask holds NaN or infinite values; give 0 where voxels do not count, 1 where they do"
        )


def _check_image(name: str, image: Image) -> None:
    low, high = (float(end) for end in torch.aminmax(image.data))
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int((~torch.isfinite(image.data)).sum())
        raise InputError(f"the {name} image has {bad} voxels that are NaN or infinite; replace them first, for example "
                         "by 0 with a mask over them")  # fmt: skip
    if sorted(image.space.shape)[-2] < FEWEST_VOXELS:  # a stack may have few slices, or a single one
        raise InputError(f"the {name} image is too small to register: {image.space!r}; two of its axes need at least "
                         f"{FEWEST_VOXELS} voxels")  # fmt: skip
    if low == high:
        raise InputError(f"the {name} image is constant (every voxel is {low:g}): there is nothing to align")

"""What cannot be registered is refused with one sentence: what is wrong, what was got, what to do."""

import math

import pytest
import torch

from pullback.errors import InputError, SpaceError
from pullback.image import Image
from pullback.registration.check import FEWEST_VOXELS, check
from pullback.space import Space
from pullback.transforms import Affine

GOOD = {2: (12, 16), 3: (5, 12, 16)}


def image(shape=(12, 16), channels=1, spacing=1.0):
    generator = torch.Generator().manual_seed(0)
    return Image(torch.rand(channels, *shape, generator=generator), Space.of_array(shape, spacing))


def refused(match, fixed=None, moving=None, initial=None, fixed_mask=None, moving_mask=None, error=InputError):
    with pytest.raises(error, match=match):
        check(fixed or image(), moving or image(), initial, fixed_mask, moving_mask)


@pytest.mark.parametrize("shape", [*GOOD.values(), (1, 12, 16), (2, 12, 16), (12, 16, 1), (4, 4)])
def test_ordinary_images_pass_and_so_do_stacks_of_few_slices(shape):
    check(image(shape), image(shape), None, image(shape), image(shape))


def test_dimensions_must_agree():
    refused("fixed is 2D but moving is 3D; pass two images of equal dimension", moving=image(GOOD[3]))
    refused("fixed is 3D but moving is 2D", fixed=image(GOOD[3]))


def test_channels_must_agree():
    refused(r"fixed has 1 channel\(s\) but moving has 3", moving=image(channels=3))


def test_the_initial_transform_must_fit():
    refused("the images are 2D but the initial transform is 3D", initial=Affine.identity(3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_voxels_that_are_no_numbers_are_counted(side, bad):
    broken = image()
    broken.data[0, 3, 4:7] = bad
    refused(f"the {side} image has 3 voxels that are NaN or infinite.*mask", **{side: broken})


@pytest.mark.parametrize("shape", [(3, 40), (40, 3), (1, 3, 40), (3, 3, 3), (1, 1, 50), (1, 50)])
def test_tiny_images(shape):
    refused(f"too small to register.*at least {FEWEST_VOXELS} voxels", fixed=image(shape), moving=image(shape))


def test_constant_images():
    flat = Image(torch.full((1, 12, 16), 7.0), Space.of_array((12, 16)))
    refused(r"the moving image is constant \(every voxel is 7\): there is nothing to align", moving=flat)


def test_a_mask_lies_on_its_image():
    refused("the fixed mask lies on.*resample the mask", fixed_mask=image((12, 17)), error=SpaceError)
    refused("the moving mask lies on", moving_mask=image(spacing=1.1), error=SpaceError)
    refused("the moving mask lies on", moving_mask=image(GOOD[3]), error=SpaceError)
    check(image(), image(), None, image(spacing=1.0001), None)  # headers are rounded


def test_a_mask_holds_numbers():
    broken = image()
    broken.data[0, 0, 0] = math.nan
    refused("the fixed mask holds NaN", fixed_mask=broken)

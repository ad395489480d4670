"""Search: pictures turned by any angle, and none turned without need."""

from dataclasses import replace

import pytest
import torch

from pullback.errors import RecipeError
from pullback.image import Image
from pullback.registration import Prepare, Search
from pullback.registration.ranges import check_ranges
from pullback.registration.recipes import named
from pullback.registration.register import register
from pullback.space import Space
from pullback.transforms import Affine, resample


@pytest.fixture(scope="module")
def picture() -> Image:
    """Blobs without symmetry."""
    space = Space.of_array((96, 110), 1.5)
    at = space.grid()
    data = torch.zeros(space.shape)
    for x, y, size, bright in ((-30, 10, 12, 1.0), (25, 20, 18, 0.7), (5, -30, 9, 0.9), (40, -20, 6, 0.5)):
        centre = space.centre + torch.tensor([x, y], dtype=torch.float64)
        data += (bright * torch.exp(-((at - centre).norm(dim=-1) ** 2) / (2 * size**2))).float()
    return Image(data[None], space)


def turned(image: Image, truth: Affine) -> Image:
    """The moving image whose pull-back through `truth` is `image`."""
    return resample(image, truth.inverse(), image.space, "cubic", 0.0)


def corner_error(found, truth, space):
    corners = torch.stack([space.to_world(torch.tensor([a, b], dtype=torch.float64))
                           for a in (0, space.shape[0] - 1) for b in (0, space.shape[1] - 1)])  # fmt: skip
    return float((found(corners) - truth(corners)).norm(dim=-1).max())


@pytest.mark.parametrize("degrees", [0.0, 40.0, -75.0, 120.0, 180.0])
def test_a_picture_turned_by_any_angle_is_found(picture, degrees):
    truth = Affine.rigid(degrees, [6.0, -4.0], picture.space.centre)
    result = register(picture, turned(picture, truth), named("rigid"))
    assert result.ok
    assert corner_error(result.transform, truth, picture.space) < 1.0


def test_another_contrast_too(picture):
    truth = Affine.rigid(100.0, [3.0, 5.0], picture.space.centre)
    moving = turned(picture, truth)
    result = register(picture, replace(moving, data=(1.2 - moving.data).clamp(min=0) ** 1.5), named("rigid"))
    assert corner_error(result.transform, truth, picture.space) < 3.0


def test_what_lies_right_is_not_turned(picture):
    pair = Prepare().pair(picture, picture, None, None, "cpu")
    outcome = Search().run(*pair, Affine.identity(2))
    assert outcome.notes == ("turned by 0 degrees",)
    assert corner_error(outcome.transform, Affine.identity(2), picture.space) < 1.5


def test_volumes_pass_through(picture):
    slab = Image(picture.data[:, None].expand(1, 6, -1, -1).contiguous(), Space.of_array((6, 96, 110), 1.5))
    pair = Prepare().pair(slab, slab, None, None, "cpu")
    start = Affine.translation([1.0, 2.0, 3.0])
    outcome = Search().run(*pair, start)
    assert outcome.transform is start
    assert outcome.notes == ("a volume: no search",)


def test_steps_that_make_no_sense():

    with pytest.raises(RecipeError, match="step_degrees must be at least 1 and at most 180"):
        check_ranges(Search(step_degrees=0.0))

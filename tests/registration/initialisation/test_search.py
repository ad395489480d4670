"""Search: pictures turned by any angle, and none turned without need."""

from dataclasses import replace

import pytest
import torch

from pullback import ops
from pullback.errors import RecipeError
from pullback.image import Image
from pullback.optimise import Status
from pullback.registration import Prepare, Search
from pullback.registration.ranges import check_ranges
from pullback.registration.recipes import named
from pullback.registration.register import register
from pullback.space import Space
from pullback.transforms import Affine, Displacement, resample


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
    assert outcome.notes[0].startswith("the start (score ")
    assert corner_error(outcome.transform, Affine.identity(2), picture.space) < 1.5


def volume(space: Space, seed: int = 0) -> Image:
    """Blobs without symmetry, in a ball."""
    draw = torch.rand(40, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    at = space.grid() - space.centre
    data = torch.exp(-((at.norm(dim=-1) / 38) ** 8))
    for x, y, z, size, bright in draw.tolist():
        middle = 50 * (torch.tensor([x, y, z], dtype=torch.float64) - 0.5)
        data = data + bright * torch.exp(-((at - middle).norm(dim=-1) ** 2) / (2 * (4 + 5 * size) ** 2))
    return Image(data[None].float(), space)


@pytest.mark.parametrize("angles", [(180.0, 0.0, 0.0), (90.0, 0.0, 90.0), (100.0, -60.0, 130.0)])
def test_a_volume_turned_by_any_angle_is_found(angles):
    space = Space.of_array((40, 40, 40), 2.5)
    truth = Affine.rigid(angles, [6.0, -4.0, 3.0], space.centre)
    image = volume(space)
    pair = Prepare().pair(image, turned(image, truth), None, None, "cpu")
    outcome = Search().run(*pair, Affine.identity(3))
    assert outcome.status.ok
    assert float((outcome.transform.matrix - truth.matrix)[:3, :3].abs().max()) < 0.05


def test_a_volume_that_fits_is_not_searched():
    image = volume(Space.of_array((24, 24, 24), 4.0))
    pair = Prepare().pair(image, image, None, None, "cpu")
    outcome = Search().run(*pair, Affine.translation([1.0, 2.0, 3.0]))
    assert outcome.notes[0].startswith("the start fits")
    assert float((outcome.transform.matrix - torch.eye(4)).abs().max()) < 0.5


def test_strangers_are_not_called_aligned(picture):
    """Noise without anything in common: the best of all poses is no better than chance."""
    noise = [
        ops.smooth(torch.randn(1, 1, 96, 110, generator=torch.Generator().manual_seed(k)), [1.5, 1.5])[0]
        for k in (1, 2)
    ]
    result = register(Image(noise[0], picture.space), Image(noise[1], picture.space), named("rigid"))
    assert result.status is Status.no_match
    assert not result.ok


def test_two_poses_that_fit_alike_are_told():
    """Two like things in a picture, and one of them to be found: it may be either."""
    space, small = Space.of_array((96, 96), 1.5), Space.of_array((40, 40), 1.5)
    texture = ops.smooth(torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(3)), [1.5, 1.5])[0]
    data = torch.zeros(1, 96, 96)
    data[:, 4:44, 4:44] = texture
    data[:, 52:92, 52:92] = texture
    pair = Prepare().pair(Image(data, space), Image(texture, small), None, None, "cpu")
    outcome = Search().run(*pair, Affine.translation([42.0, 42.0]))  # half way between them
    assert outcome.status is Status.ambiguous
    assert "next: " in outcome.notes[1]


def test_a_deformation_is_not_searched_from(picture):
    pair = Prepare().pair(picture, picture, None, None, "cpu")
    start = Displacement(torch.zeros(2, *picture.space.shape), picture.space)
    assert Search().run(*pair, start).transform is start


def test_steps_that_make_no_sense():

    with pytest.raises(RecipeError, match="step_degrees must be at least 1 and at most 180"):
        check_ranges(Search(step_degrees=0.0))

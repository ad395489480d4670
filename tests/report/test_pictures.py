from dataclasses import replace

import numpy as np
import pytest
import torch

from pullback import ops
from pullback.image import Image
from pullback.report.pictures import MOST_PIXELS, Pictures
from pullback.report.planes import plane
from pullback.report.survey import Survey
from pullback.space import Space
from pullback.transforms import Affine


def whole(registration, axis=None, index=0):
    """Pictures on one plane of the whole fixed image."""
    return Pictures(Survey.of(registration), (plane(registration.fixed.space, axis, index),))


def test_the_fixed_image_is_shown_voxel_by_voxel(result):
    space = Space.of_array((6, 30, 40), (8.0, 1.0, 1.0))  # towards the head, the back and the left: shown as stored
    made = result(space)
    image = Image(torch.rand(1, 6, 30, 40, generator=torch.Generator().manual_seed(0)), space)
    pictures = whole(replace(made, fixed=image), 0, 4)
    grey = pictures.survey.fixed
    expected = ((image.data[0, 4] - grey.black) / (grey.white - grey.black)).clamp(0, 1)
    np.testing.assert_allclose(pictures.fixed[0], expected.numpy(), atol=1e-5)


def test_after_shows_the_fixed_image_again_and_before_does_not(result, space):
    for pictures in Pictures.of(Survey.of(result(space, Affine.translation([9.0] * space.dimension)))):
        for fixed, before, after in zip(pictures.fixed, pictures.before, pictures.after, strict=True):
            assert fixed.shape == before.shape == after.shape
            assert np.abs(fixed - after).mean() < 0.3 * np.abs(fixed - before).mean()


def test_before_lies_on_the_side_where_the_transform_reaches(result):
    space = Space.of_array((40, 40))
    pictures = whole(
        result(space, Affine.translation([-8.0, 0.0]))
    )  # look 8 mm to the left: to the right of the screen
    columns = np.arange(40)
    middle = [
        (picture.sum(axis=0) * columns).sum() / picture.sum() for picture in (pictures.fixed[0], pictures.before[0])
    ]
    assert middle[1] - middle[0] == pytest.approx(8.0, abs=0.3)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (-3.0, 5.0)])
def test_reached_is_in_mm_to_the_right_and_down(result, shift):
    space = Space.of_array((20, 30), (2.0, 1.5))
    x, y = whole(result(space, Affine.translation(shift))).reached[0]
    np.testing.assert_allclose(x, np.broadcast_to((np.arange(30) + 0.5) * 1.5 - shift[0], (20, 30)), atol=1e-4)
    np.testing.assert_allclose(
        y, np.broadcast_to(((np.arange(20) + 0.5) * 2.0 - shift[1])[:, None], (20, 30)), atol=1e-4
    )


def test_the_jacobian_on_a_plane_is_that_of_the_volume(result, bump, oblique_space, dimension):
    space = oblique_space(dimension)
    transform = Affine.similarity(1.2, centre=space.centre, dimension=dimension) @ bump(space, 3.0)
    whole_field = transform.displace(space)
    expected = ops.jacobian(whole_field[None], space.inverse[:-1, :-1])[0]
    if dimension == 2:
        found = whole(result(space, transform)).jacobian[0]
        assert sorted(found.ravel().tolist()) == pytest.approx(sorted(expected.flatten().tolist()), abs=1e-4)
    else:
        found = whole(result(space, transform), 0, 5).jacobian[0]
        assert sorted(found.ravel().tolist()) == pytest.approx(sorted(expected[5].flatten().tolist()), abs=1e-3)


def test_the_sample_of_the_jacobian_is_of_the_whole_image(result, bump):
    space = Space.of_array((300, 500))
    sample = whole(result(space, bump(space, 30.0))).jacobian_sample
    expected = ops.jacobian(bump(space, 30.0).field[None], space.inverse[:-1, :-1])[0]
    assert 60_000 < sample.size <= 150_000
    assert sample.min() == pytest.approx(float(expected.min()), abs=0.02)
    assert sample.max() == pytest.approx(float(expected.max()), abs=0.02)


def test_deformation_leaves_the_linear_part_out(result, bump, space):
    made = result(space, Affine.translation([50.0] + [0.0] * (space.dimension - 1)) @ bump(space, 4.0))
    largest = max(float(d.max()) for p in Pictures.of(Survey.of(made), 99, 99) for d in p.deformation_mm)
    assert largest == pytest.approx(4.0, rel=0.05)


def test_of_a_linear_transform_the_whole_displacement_is_shown(result, space):
    made = result(space, Affine.translation([3.0, 4.0, 0.0][: space.dimension]))
    for pictures in Pictures.of(Survey.of(made)):
        for distance in pictures.deformation_mm:
            np.testing.assert_allclose(distance, 5.0, rtol=1e-4)


def test_large_images_are_shown_smaller(result):
    space = Space.of_array((900, 1200))
    made = result(space, Affine.identity(2))
    made = replace(made, fixed=Image(1 + torch.rand(1, 900, 1200), space))
    assert Pictures.of(Survey.of(made))[0].fixed[0].shape == (MOST_PIXELS, MOST_PIXELS)


def test_joining_keeps_all_planes(result):
    several = Pictures.of(Survey.of(result(Space.of_array((40, 44, 48), 1.0))))
    joined = Pictures.joined(several)
    assert [p.direction for p in joined.planes] == ["axis 0", "axis 1", "axis 2"]
    for one, other in zip(joined.fixed, (picture for pictures in several for picture in pictures.fixed), strict=True):
        np.testing.assert_array_equal(one, other)

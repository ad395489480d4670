from dataclasses import replace

import numpy as np
import pytest
import torch

from pullback.image import Image
from pullback.report.survey import Grey, Survey
from pullback.space import Space
from pullback.transforms import Affine


def focus(space):
    return space.to_world(torch.tensor([0.4 * n for n in space.shape], dtype=torch.float64))


def test_black_and_white_are_percentiles():
    values = torch.linspace(0, 1000, 10_000).reshape(1, 100, 100)
    grey = Grey.of(Image(values, Space.of_array((100, 100))))
    assert (grey.black, grey.white) == (pytest.approx(5, abs=0.2), pytest.approx(997, abs=0.2))


def test_channels_are_shown_as_their_mean():
    data = torch.stack([torch.zeros(8, 8), torch.arange(64.0).reshape(8, 8)])
    grey = Grey.of(Image(data, Space.of_array((8, 8))))
    torch.testing.assert_close(grey.image.data[0], data[1] / 2)


def test_an_image_read_outside_is_black_whatever_its_values():
    image = Image(torch.linspace(500, 900, 64).reshape(1, 8, 8), Space.of_array((8, 8)))
    seen = Grey.of(image).read(Affine.translation([1000.0, 0.0]), image.space)
    assert float(seen.max()) == 0.0


def test_the_box_holds_what_is_bright_and_little_more(result, heart, space):
    found = Survey.of(result(space, Affine.identity(space.dimension)))
    bright = heart(space).data[0] > 300
    for axis, (first, last) in enumerate(found.box):
        others = [a for a in range(space.dimension) if a != axis]
        filled = torch.nonzero(bright.any(dim=others[0]) if len(others) == 1 else bright.amax(dim=others)).flatten()
        margin = 0.06 * max(space.extent) / space.spacing[axis] + 2
        assert first <= int(filled[0])
        assert last >= int(filled[-1]) + 1
        assert int(filled[0]) - first <= margin
        assert last - int(filled[-1]) - 1 <= margin


def test_the_box_of_an_even_picture_is_all_of_it(result):
    space = Space.of_array((20, 20))
    made = result(space, Affine.identity(2))
    assert Survey.of(replace(made, fixed=Image(1 + torch.rand(1, 20, 20), space))).box == ((0, 20), (0, 20))


def test_before_is_what_the_headers_say(result, space):
    found = Survey.of(result(space))
    assert torch.equal(found.start.matrix, Affine.identity(space.dimension).matrix)
    assert "headers place the images" in found.before_is


def test_where_headers_place_images_apart_before_brings_their_middles_together(result, space):
    made = result(space, Affine.identity(space.dimension))
    matrix = space.matrix.clone()
    matrix[:-1, -1] += 1000.0
    away = Space(space.shape, matrix)
    moving = Image(made.moving.data, away)
    found = Survey.of(replace(made, moving=moving))
    torch.testing.assert_close(found.start(space.centre), away.centre)
    assert "apart" in found.before_is


def test_profiles_follow_the_brightness_of_the_slices(result, heart, space):
    found = Survey.of(result(space))
    for axis, profile in enumerate(found.profiles):
        others = [a for a in range(space.dimension) if a != axis]
        expected = (heart(space).data[0] - 100).mean(dim=others).numpy()
        assert profile.shape == expected.shape
        assert np.corrcoef(profile, expected)[0, 1] > 0.98


def test_two_contrasts_are_told_from_one(result, space):
    made = result(space, Affine.identity(space.dimension))
    waves = (space.grid() / 11.0).sin().sum(dim=-1)[None].float()
    made = replace(made, fixed=Image(waves, space))
    assert Survey.of(replace(made, moving=Image(500 + 30 * waves + waves**2, space))).one_contrast
    assert not Survey.of(replace(made, moving=Image(500 - 30 * waves, space))).one_contrast


def test_the_focus_is_where_tissue_is_bent(result, bump, space):
    bent = Survey.of(result(space, Affine.translation([5.0] * space.dimension) @ bump(space)))
    assert not bent.is_linear
    assert float((bent.focus - focus(space)).norm()) < 0.05 * max(space.extent)
    straight = Survey.of(result(space, Affine.translation([5.0] * space.dimension)))
    assert straight.is_linear
    torch.testing.assert_close(straight.focus, space.centre)

"""Shading comes off, contrast stays, and mutual information finds its way again."""

from dataclasses import replace

import pytest
import torch

from pullback.image import Image
from pullback.phantom import heart, heart_pair, heart_space
from pullback.registration import Prepare, register
from pullback.registration.flatten import flattened
from pullback.registration.recipes import named
from pullback.space import Space

SPACE = heart_space(2, (64, 64), (4.2, 4.2))


def shaded(image, strength, axis):
    slope = (image.space.grid() - image.space.centre)[..., axis] / 134.0
    return Image((image.data * torch.exp(strength * slope)).float(), image.space)


def likeness(a, b):
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def test_a_shaded_image_becomes_the_even_one():
    image = heart(space=SPACE, seed=1).image
    one, other = Prepare(), Prepare(flatten_mm=40.0)
    there = shaded(image, 1.0, 0)
    found = [p.pair(image, there, None, None, "cpu") for p in (one, other)]
    before, after = (likeness(a.data, b.data) for a, b in found)
    assert after > 0.92
    assert before < 0.89
    assert float(found[1][1].data.min()) >= 0
    assert float(found[1][1].data.max()) <= 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (3.0, 1.5)])
def test_even_tissue_becomes_even_and_edges_stay(spacing):
    space = Space.of_array((60, 90), spacing)
    plate = torch.zeros(space.shape)
    plate[10:50, 10:80], plate[20:30, 30:40] = 0.4, 0.8
    tilt = torch.linspace(0.6, 1.4, 90)
    found = flattened(plate * tilt, space, 30.0, None)
    lit = (plate == 0.4) & (torch.arange(90) > 14) & (torch.arange(90) < 76)
    assert float(found[lit].std()) < 0.7 * float((plate * tilt)[lit].std())
    assert float(found[25, 35] / found[25, 50]) > 1.5
    assert float(found[0, 0]) == 0


def test_two_contrasts_under_two_shadings_are_found_again():
    pair = heart_pair(space=SPACE, max_mm=4.0, seed=0, moving_contrast="t2")
    fixed, moving = shaded(pair.fixed, 1.5, 0), shaded(pair.moving, 1.5, 1)
    recipe = named("affine")
    even = replace(recipe, prepare=replace(recipe.prepare, flatten_mm=40.0))
    heart_there = pair.fixed_labels.data > 0

    def error(chosen):
        moved = register(fixed, moving, chosen).transform.displace(SPACE)
        return float((moved - pair.truth.displace(SPACE)).norm(dim=0)[heart_there].mean())

    assert error(even) < 2.5
    assert error(recipe) > 4.0

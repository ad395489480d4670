"""How an image is stored does not matter: flipped or permuted axes, with their matrix, give one answer in mm."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.energy import LNCC, MutualInformation
from pullback.image import Image
from pullback.registration import register
from pullback.transforms import Affine
from pullback.transforms.affine import rotation

SHIFT = {2: [3.7, -2.1], 3: [3.7, -2.1, 4.3]}
ANGLES = {2: [7.0], 3: [5.0, -4.0, 7.0]}
ORIENTATIONS = [
    (order, flips) for order in itertools.permutations(range(3)) for flips in itertools.product([0, 1], repeat=3)
]


def stored(image, order, flips):
    """The same image with its axes in another order, some of them the other way round."""
    data, space = image.data.permute(0, *[a + 1 for a in order]), image.space.permute(order)
    for axis, flip in enumerate(flips):
        if flip:
            data, space = data.flip(axis + 1), space.flip(axis)
    return Image(data.contiguous(), space)


@pytest.fixture(scope="module")
def pair(paint, grid):
    """A small oblique pair of unequal spacing, its truth, and points in the middle of it."""

    def make(dimension):
        turn = rotation([20.0] if dimension == 2 else [10.0, 20.0, -15.0], dimension)
        fixed_space = grid(dimension, {2: (1.6, 1.2), 3: (8.0, 4.4, 5.1)}[dimension], turn)
        moving_space = grid(dimension, {2: (1.3, 1.3), 3: (4.6, 5.4, 6.2)}[dimension], mm=78.0)
        truth = Affine.rigid(ANGLES[dimension], SHIFT[dimension])
        generator = torch.Generator().manual_seed(3)
        points = 40 * (torch.rand(200, dimension, generator=generator, dtype=torch.float64) - 0.5)
        return paint(fixed_space, truth), paint(moving_space), truth, points

    return make


def apart(one, other, points):
    return float((one(points) - other(points)).norm(dim=-1).max())


def test_there_are_48_of_them():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_all_48_orientations_give_one_answer(side, pair, linear):
    fixed, moving, truth, points = pair(3)
    recipe = linear("rigid", MutualInformation(), shrinks=(1,), centres=True)
    expected = register(fixed, moving, recipe).transform
    assert apart(expected, truth, points) < 0.4
    for order, flips in ORIENTATIONS:
        images = {"fixed": fixed, "moving": moving}
        images[side] = stored(images[side], order, flips)
        result = register(images["fixed"], images["moving"], recipe)
        assert result.warped.space.same_as(images["fixed"].space)
        assert apart(result.transform, expected, points) < 0.01 * fixed.space.finest, (order, flips)


@pytest.mark.parametrize("freedom", ["translation", "rigid", "similarity", "affine"])
@settings(max_examples=6)
@given(data=st.data())
def test_no_freedom_depends_on_how_axes_are_stored(freedom, pair, linear, data):
    dimension = data.draw(st.sampled_from([2, 3]))
    fixed, moving, _, points = pair(dimension)
    order = data.draw(st.permutations(range(dimension)))
    flips = data.draw(st.tuples(*[st.booleans()] * dimension))
    recipe = linear(freedom, shrinks=(1,))
    expected = register(fixed, moving, recipe).transform
    result = register(stored(fixed, order, flips), stored(moving, order[::-1], flips[::-1]), recipe).transform
    assert apart(result, expected, points) < 0.03 * fixed.space.finest  # rounding may end the last steps early


@settings(max_examples=6)
@given(data=st.data())
def test_no_deformation_depends_on_how_axes_are_stored(pair, dense, data):
    dimension = data.draw(st.sampled_from([2, 3]))
    fixed, moving, _, points = pair(dimension)
    order = data.draw(st.permutations(range(dimension)))
    flips = data.draw(st.tuples(*[st.booleans()] * dimension))
    recipe = dense(LNCC(2), shrinks=(1,), steps=8)
    expected = register(fixed, moving, recipe).transform
    result = register(stored(fixed, order, flips), stored(moving, order[::-1], flips[::-1]), recipe).transform
    assert apart(expected, Affine.identity(dimension), points) > 1
    assert apart(result, expected, points) < 0.01 * fixed.space.finest


def test_the_displacement_is_the_same_field_stored_another_way(pair, dense):
    fixed, moving, _, _ = pair(3)
    recipe = dense(shrinks=(1,), steps=5)
    expected = register(fixed, moving, recipe).transform.displace(fixed.space)
    turned = stored(fixed, (2, 0, 1), (1, 0, 1))
    result = register(turned, moving, recipe).transform.displace(turned.space)
    same = expected.permute(0, 3, 1, 2).flip(1).flip(3)  # components stay along the world's axes
    assert torch.allclose(result, same, atol=0.02)

"""Linear: where its centre is, and what its numbers are worth."""

import math

import pytest
import torch

from pullback.optimise import Linear
from pullback.optimise.parametrisation.linear import radius
from pullback.space import Space
from pullback.transforms import Affine, Displacement


def build(model, space, values, initial=None):
    params = model.start(space, initial or Affine.identity(space.dimension), "cpu")
    return model.build(model.retract(params, torch.tensor(values, dtype=torch.float64)))


def test_it_turns_about_the_middle_of_the_field_of_view(oblique_space):
    space = oblique_space(2)
    transform = build(Linear("rigid"), space, [20.0, 0.0, 0.0])
    assert torch.allclose(transform(space.centre), space.centre)
    angle = math.atan2(float(transform.matrix[1, 0]), float(transform.matrix[0, 0]))
    assert abs(angle) == pytest.approx(20.0 / radius(space))


def test_the_same_number_of_mm_on_a_small_and_a_large_image():
    for scale in (0.1, 1.0, 10.0):
        space = Space.of_array((30, 50), scale)
        motion = build(Linear("rigid"), space, [scale, 0.0, 0.0]).displace(space)
        assert float((motion**2).sum(dim=0).mean().sqrt()) == pytest.approx(scale, rel=0.02)


def test_the_radius_is_the_root_mean_square_distance_from_the_middle():
    space = Space.of_array((30, 50), 2.0)
    distance = (space.grid() - space.centre).norm(dim=-1)
    assert radius(space) == pytest.approx(float((distance**2).mean().sqrt()), rel=0.01)
    assert radius(Space.of_array((1, 30, 50), (99.0, 2.0, 2.0))) == radius(space), "a slice's thickness does not matter"


def test_the_update_comes_on_the_fixed_side(smooth_field):
    space = Space.of_array((30, 40))
    bent = Displacement(smooth_field(space, 3.0), space)
    transform = build(Linear("translation"), space, [4.0, 0.0], bent)
    shift = Affine.translation(build(Linear("translation"), space, [4.0, 0.0])(torch.zeros(2, dtype=torch.float64)))
    points = space.grid().reshape(-1, 2)[::91]
    assert torch.allclose(transform(points), bent(shift(points)))


def test_its_transform_is_one_matrix_when_it_starts_from_one():
    space = Space.of_array((30, 40))
    assert isinstance(build(Linear("affine"), space, [1.0] * 6, Affine.rigid(5.0)), Affine)

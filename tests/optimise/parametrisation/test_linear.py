"""Linear: where its centre is, and what its numbers are worth."""

import math

import pytest
import torch

from pullback.errors import RecipeError, SpaceError
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


@pytest.mark.parametrize("freedom", ["translation", "scaling", "rigid", "affine_without_shear", "affine"])
def test_some_axes_only(freedom, oblique_space):
    """A stack that moves in its planes: nothing goes through them, and the slices stay flat and turned alike."""
    space = oblique_space(3, (6, 20, 24))
    model = Linear(freedom, axes=(1, 2))
    count = len(model.start(space, Affine.identity(3), "cpu").values)
    flat = Space((1, *space.shape[1:]), space.matrix)
    assert count == len(Linear(freedom).start(flat, Affine.identity(3), "cpu").values)
    for seed in range(3):
        values = 10 * torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        moved = space.to_voxels(build(model, space, values.tolist())(space.grid()))
        assert torch.allclose(moved[..., 0], space.to_voxels(space.grid())[..., 0], atol=1e-9)
        assert float((moved - space.to_voxels(space.grid())).abs().max()) > 1.0


def test_one_axis_only_is_a_shift(oblique_space):
    space = oblique_space(3)
    transform = build(Linear("rigid", axes=(0,)), space, [7.0])
    direction = space.linear[:, 0] / space.linear[:, 0].norm()
    assert torch.allclose(transform.matrix[:3, 3].abs(), (7.0 * direction).abs())
    assert torch.equal(transform.linear, torch.eye(3, dtype=torch.float64))


def test_axes_that_are_not_there_are_refused(oblique_space):
    with pytest.raises(SpaceError, match=r"rigid \(axes 1, 2\): .* has the axes 0 to 1"):
        build(Linear("rigid", axes=(1, 2)), oblique_space(2), [0.0, 0.0])
    with pytest.raises(RecipeError, match="named once"):
        Linear("rigid", axes=(1, 1))

"""Displacement and Velocity: where their vectors are read, and what flows along them."""

import pytest
import torch

from pullback.errors import InputError, SpaceError
from pullback.transforms import Affine, Displacement, Velocity


def linear_field(space, linear):
    """(linear - 1) (x - centre), as a displacement in mm."""
    offsets = space.grid() - space.centre
    return (offsets @ (linear - torch.eye(len(linear), dtype=torch.float64)).T).movedim(-1, 0)


def test_vectors_are_read_linearly_in_mm_along_the_world_axes(dimension, oblique_space, points_inside):
    space = oblique_space(dimension)
    linear = torch.eye(dimension, dtype=torch.float64)
    linear[0, 1], linear[-1, -1] = 0.2, 0.9
    points = points_inside(space, part=0.95)
    expected = Affine.about(linear, centre=space.centre)(points)
    torch.testing.assert_close(Displacement(linear_field(space, linear), space)(points), expected)


def test_beyond_the_grid_its_edge_is_repeated(dimension, oblique_space, smooth_field):
    space = oblique_space(dimension)
    transform = Displacement(smooth_field(space, dtype=torch.float64), space)
    corner = torch.zeros(dimension, dtype=torch.float64)
    edge, beyond = space.to_world(corner), space.to_world(corner - 7)
    torch.testing.assert_close(transform(beyond) - beyond, transform(edge) - edge)
    torch.testing.assert_close(transform(edge) - edge, transform.field[(slice(None), *[0] * dimension)])


def test_the_jacobian_is_in_world_units(dimension, oblique_space):
    space = oblique_space(dimension)
    linear = torch.diag(torch.tensor([1.5, 0.8, 0.9], dtype=torch.float64)[:dimension])
    determinant = Displacement(linear_field(space, linear), space).jacobian()
    torch.testing.assert_close(
        determinant, torch.full(space.shape, float(torch.linalg.det(linear)), dtype=torch.float64)
    )


def test_a_constant_velocity_is_a_translation(dimension, oblique_space, points_inside):
    space, shift = oblique_space(dimension), torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)[:dimension]
    flow = Velocity(shift.view(-1, *[1] * dimension).expand(-1, *space.shape), space)
    points = points_inside(space)
    torch.testing.assert_close(flow(points), points + shift)


def test_a_linear_velocity_flows_to_the_matrix_exponential(dimension, oblique_space, points_inside):
    space = oblique_space(dimension)
    rate = 0.1 * torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    velocity = linear_field(space, rate + torch.eye(dimension, dtype=torch.float64))
    points = points_inside(space, part=0.4)
    expected = Affine.about(torch.linalg.matrix_exp(rate), centre=space.centre)(points)
    moved = float((expected - points).norm(dim=-1).max())
    assert moved > 0.3
    assert float((Velocity(velocity, space)(points) - expected).norm(dim=-1).max()) < 2e-3 * moved
    one_step = float((Velocity(velocity, space, steps=0)(points) - expected).norm(dim=-1).max())
    assert one_step > 5e-3 * moved


def test_a_velocity_does_not_fold_where_its_displacement_would(oblique_space, smooth_field):
    space = oblique_space(2)
    field = smooth_field(space, largest_mm=12.0)
    assert float(Displacement(field, space).jacobian().min()) < -1
    assert float(Velocity(field, space).displacement().jacobian().min()) > 0


@pytest.mark.parametrize("kind", [Displacement, Velocity])
@pytest.mark.usefixtures("unchecked")
def test_a_field_that_does_not_fit_its_grid_is_refused(kind, oblique_space):
    space = oblique_space(3)
    for shape in (space.shape, (2, *space.shape), (3, *space.shape[::-1]), (1, 3, *space.shape)):
        with pytest.raises(SpaceError, match=r"field of shape \(.*\) does not fit Space\(12 x 17 x 23 voxels"):
            kind(torch.zeros(shape), space)


def test_negative_steps_are_refused(oblique_space):
    space = oblique_space(2)
    with pytest.raises(InputError, match="steps >= 0; got -1"):
        Velocity(torch.zeros(2, *space.shape), space, steps=-1)

"""Inverse: solved where there is a solution, and harmless where there is none."""

import torch

from pullback.space import Space
from pullback.transforms import Displacement, Inverse


def test_large_smooth_fields_are_undone_to_its_tolerance(dimension, oblique_space, smooth_field, points_inside):
    space = oblique_space(dimension)
    transform = Displacement(smooth_field(space, largest_mm=5.0, dtype=torch.float64), space)
    assert 0.1 < float(transform.jacobian().min()) < 0.8
    points = points_inside(space, 500, part=0.9)
    assert float(transform.inverse().residual(points).max()) <= 1e-4


def test_points_beyond_the_grid_are_undone_too(dimension, oblique_space, smooth_field):
    space = oblique_space(dimension)
    inverse = Displacement(smooth_field(space, dtype=torch.float64), space).inverse()
    around = space.crop([-4] * dimension, [n + 4 for n in space.shape]).grid()
    assert float(inverse.residual(around).max()) <= 1e-4


def test_single_precision_far_from_the_origin_is_good_to_a_thousandth_of_a_millimetre(smooth_field):
    matrix = torch.diag(torch.tensor([1.5, 1.5, 1.0], dtype=torch.float64))
    matrix[:2, 2] = 400.0
    space = Space((40, 50), matrix)
    inverse = Displacement(smooth_field(space, largest_mm=4.0), space).inverse()
    assert float(inverse.residual(space.grid().float()).max()) <= 1e-3


def test_a_folded_field_gives_finite_points_and_tells(oblique_space, smooth_field):
    space = oblique_space(2)
    transform = Displacement(smooth_field(space, largest_mm=40.0, dtype=torch.float64), space)
    assert float(transform.jacobian().min()) < 0
    inverse = transform.inverse()
    assert torch.isfinite(inverse(space.grid())).all()
    residual = inverse.residual(space.grid())
    assert residual.shape == space.shape
    assert float(residual.median()) <= 1e-4


def test_where_newtons_equations_have_no_solution_the_gap_itself_leads_out():
    """Inside the grid everything lands on x = -12; nearly all else, coming from beyond it, is found."""
    space = Space.of_array((24, 24))
    grid = space.grid()
    field = torch.stack([-12 - grid[..., 0], 1.5 * torch.sin(grid[..., 1] / 4)])
    inverse = Displacement(field, space).inverse()
    found = inverse.residual(grid[4:-4, 4:-4]) <= 1e-4
    assert float(found.double().mean()) > 0.9


def test_a_field_on_an_axis_of_one_voxel_is_undone(smooth_field):
    space = Space.of_array((1, 20, 24), (5.0, 1.5, 1.5))
    field = smooth_field(space, dtype=torch.float64)
    inverse = Displacement(field, space).inverse()
    assert float(inverse.residual(space.grid()).max()) <= 1e-4


def test_the_inverse_of_the_inverse_is_the_field_itself(oblique_space, smooth_field):
    space = oblique_space(2)
    transform = Displacement(smooth_field(space), space)
    inverse = transform.inverse()
    assert isinstance(inverse, Inverse)
    assert inverse.inverse() is transform

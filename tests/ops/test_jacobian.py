"""`jacobian` against maps whose volume change is known."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError


def test_an_affine_map_has_one_determinant_on_any_grid(dimension, oblique_space):
    space = oblique_space(dimension)
    linear = torch.eye(dimension, dtype=torch.float64)
    linear[0, 1], linear[1, 0], linear[1, 1], linear[-1, -1] = 0.3, -0.2, 1.2, 0.7
    field = (space.grid() @ (linear - torch.eye(dimension)).T).movedim(-1, 0)[None]
    determinant = ops.jacobian(field, space.inverse[:-1, :-1])
    torch.testing.assert_close(determinant, torch.full_like(determinant, float(torch.linalg.det(linear))))


def test_a_smooth_map_has_the_determinant_of_its_derivative(dimension, oblique_space):
    """u(x) = heights sin(waves x) has the derivative heights cos(waves x) waves."""
    space = oblique_space(dimension, scale=0.25)
    generator = torch.Generator().manual_seed(0)
    waves = 0.1 * torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    heights = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    phase = space.grid() @ waves.T
    derivative = heights @ (torch.cos(phase)[..., None] * waves)
    expected = torch.linalg.det(torch.eye(dimension) + derivative)
    field = (torch.sin(phase) @ heights.T).movedim(-1, 0)[None]
    found = ops.jacobian(field, space.inverse[:-1, :-1])[0]
    inner = tuple(slice(1, -1) for _ in range(dimension))
    assert float(expected.max() - expected.min()) > 0.1  # there is something to find
    torch.testing.assert_close(found[inner], expected[inner], atol=2e-3, rtol=0)


def test_no_displacement_changes_no_volume(dimension):
    field = torch.zeros(2, dimension, *(4, 5, 6)[:dimension])
    assert torch.equal(ops.jacobian(field, torch.eye(dimension)), torch.ones_like(field[:, 0]))


def test_a_fold_is_negative_and_only_where_it_is():
    field = torch.zeros(1, 2, 5, 21)
    field[0, 1, :, 8:13] = torch.tensor([0.0, -1.5, -3.0, -4.5, 0.0])
    folded = ops.jacobian(field, torch.eye(2)) <= 0
    assert folded.any()
    assert folded[..., 8:13].sum() == folded.sum()


def test_there_is_no_slope_along_an_axis_of_one_voxel():
    field = torch.zeros(1, 3, 1, 5, 6)
    field[0, 0] = 3.0
    field[0, 2] = 0.5 * torch.arange(6.0)
    torch.testing.assert_close(ops.jacobian(field, torch.eye(3)), torch.full((1, 1, 5, 6), 1.5))


def test_border_differences_are_one_sided():
    field = torch.zeros(1, 2, 3, 4)
    field[0, 1] = torch.tensor([0.0, 0.5, 0.5, 1.5])
    torch.testing.assert_close(ops.jacobian(field, torch.eye(2))[0, 0], torch.tensor([1.5, 1.25, 1.5, 2.0]))


@pytest.mark.usefixtures("unchecked")
def test_a_field_without_a_component_for_each_axis_is_refused():
    with pytest.raises(InputError, match=r"one component per axis; got the shape \(1, 3, 4, 5\)"):
        ops.jacobian(torch.zeros(1, 3, 4, 5), torch.eye(2))

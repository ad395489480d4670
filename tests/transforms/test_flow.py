"""Flow: one velocity after another, their reverse as the inverse, and forces carried along the path."""

import pytest
import torch

from pullback import io
from pullback.energy import MSE, Diffusion, Energy, Folding, Pair, Sobolev
from pullback.energy.regulariser import penalty
from pullback.errors import InputError, SpaceError
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Flow, Velocity


@pytest.fixture
def fields(oblique_space, smooth_field, dimension):
    space = oblique_space(dimension)
    return torch.stack([smooth_field(space, 4.0, seed=seed) for seed in range(3)]), space


def test_the_first_field_acts_first(fields, points_inside):
    values, space = fields
    one_after_another = Affine.identity(space.dimension)
    for field in values:
        one_after_another = Velocity(field / 3, space) @ one_after_another
    points = points_inside(space)
    moved = (Flow(values, space)(points) - points).norm(dim=-1).max()
    assert float(moved) > 1.0
    assert (Flow(values, space)(points) - one_after_another(points)).norm(dim=-1).max() < 0.03 * moved
    assert (Flow(values.flip(0), space)(points) - one_after_another(points)).norm(dim=-1).max() > 0.05 * moved


def test_a_steady_flow_is_that_of_one_velocity(fields, points_inside):
    values, space = fields
    steady, points = Flow(values[:1].expand(3, *values[0].shape), space), points_inside(space)
    assert (steady(points) - Velocity(values[0], space)(points)).norm(dim=-1).max() < 0.02 * space.finest
    assert (Flow(values[:1], space)(points) - Velocity(values[0], space)(points)).norm(dim=-1).max() < 0.02


def test_parts_make_the_whole(fields, points_inside):
    values, space = fields
    flow, points = Flow(values, space), points_inside(space)
    apart = (flow.part(1, 3)(flow.part(0, 1)(points)) - flow(points)).norm(dim=-1).max()
    assert apart < 0.03 * (flow(points) - points).norm(dim=-1).max()  # fields are read between voxels once more
    for first, last in ((0, 4), (2, 2), (-1, 1)):
        with pytest.raises(InputError, match="no part from"):
            flow.part(first, last)


def test_few_squarings_will_do(oblique_space, smooth_field, points_inside):
    """The smallest steps are read in their middle: the way back is the inverse to a hundredth of a voxel."""
    space = Space.of_array((48, 48), 2.0)
    smooth = torch.stack([smooth_field(space, 6.0, seed=seed) for seed in range(4)])
    flow, points = Flow(smooth, space, steps=2), points_inside(space)
    assert float((flow.inverse()(flow(points)) - points).norm(dim=-1).max()) < 0.1 * space.finest
    assert float((flow(points) - Flow(smooth, space, steps=7)(points)).norm(dim=-1).max()) < 0.02 * space.finest


def test_a_force_before_the_flow_is_felt_along_the_path(dimension):
    """Images compared where the flow sets out pull on a field as if they were compared where it begins to act."""
    space = Space.of_array((14, 16, 15)[:dimension] if dimension == 3 else (40, 44), 1.0)
    x = (space.grid() - space.centre).to(torch.float32)
    turn = torch.zeros(dimension, *space.shape)
    turn[0], turn[1] = -0.5 * x[..., 1], 0.5 * x[..., 0]  # a quarter of the path turns by a quarter of half a radian
    flow = Flow(torch.stack([turn] * 4), space)
    force = torch.zeros_like(turn)
    force[0] = torch.exp(-(x**2).sum(dim=-1) / 20)  # round, so that it stays where it is and only turns
    along = flow.along(force)
    inside = (x.norm(dim=-1) < 4)[None]
    for k in range(4):
        angle = torch.tensor(0.5 * k / 4)
        expected = torch.zeros_like(force)
        expected[0], expected[1] = force[0] * torch.cos(angle), force[0] * torch.sin(angle)
        assert float(((4 * along[k] - expected) * inside).abs().max()) < 0.06
    assert float(along[3][1].max()) > 0.05


def test_the_loss_falls_as_the_carried_force_says(smooth_field):
    """Where nothing shrinks or grows much, each field goes down its own gradient."""
    space = Space.of_array((40, 44))
    image = (1 + torch.sin(0.3 * space.grid()[..., 0]) * torch.cos(0.25 * space.grid()[..., 1])).float()[None, None]
    values = torch.stack([smooth_field(space, 0.6, seed=seed) for seed in range(3)])
    pair, energy = Pair(image, image, space, space, covered=True), Energy(MSE())
    start = Affine.translation([1.5, -1.0])
    _, force = energy.loss_and_force(pair, start @ Flow(values, space))
    assert force.shape == values.shape
    for k in range(3):
        step = torch.zeros_like(values)
        step[k] = 0.05 * force[k] / force[k].abs().max()
        there, back = (float(energy.loss(pair, start @ Flow(values + s * step, space))) for s in (1.0, -1.0))
        assert float((force * step).sum()) == pytest.approx((there - back) / 2, rel=0.2)


def test_a_regulariser_sees_the_energy_of_the_path(fields):
    """A weight means the same for any number of intervals, and for a stationary velocity."""
    values, space = fields
    for regulariser in (Sobolev(5.0), Diffusion()):
        each = [float(penalty(regulariser, Velocity(field, space), space)) for field in values]
        found = float(penalty(regulariser, Flow(values, space), space))
        assert found == pytest.approx(sum(each) / 3, rel=1e-5)
        twice = values.repeat_interleave(2, dim=0)
        assert float(penalty(regulariser, Flow(twice, space), space)) == pytest.approx(found, rel=1e-5)
    wall = Folding(least_jacobian=0.99)  # of what comes out
    whole = float(wall.loss(Flow(values, space).displacement().field, space))
    assert float(penalty(wall, Flow(values, space), space)) == pytest.approx(whole, rel=1e-5)


def test_files_hold_it_on_its_grid(fields, points_inside, tmp_path):
    values, space = fields
    flow, points = Flow(values, space), points_inside(space)
    io.write_transform(Affine.translation([1.0] * space.dimension) @ flow, tmp_path / "flow.h5")
    back = io.read_transform(tmp_path / "flow.h5")
    torch.testing.assert_close(back(points), flow(points) + 1.0, rtol=0, atol=1e-3)
    assert isinstance(flow.displacement(), Displacement)


def test_what_is_no_flow_is_refused():
    space = Space.of_array((5, 6))
    with pytest.raises(SpaceError, match=r"\(n, dimension, \*space.shape\)"):
        Flow(torch.zeros(2, 2, 5, 5), space)
    with pytest.raises(InputError, match="at least one"):
        Flow(torch.zeros(0, 2, 5, 6), space)
    with pytest.raises(InputError, match="steps >= 0; got -1"):
        Flow(torch.zeros(1, 2, 5, 6), space, -1)

"""LocalRigidity: any turn is free, any change of shape is not; a turned bone stays a bone."""

import math

import pytest
import torch

import pullback as pb
from pullback import ops
from pullback.energy import NCC, Bending, Elastic, Energy, LocalRigidity, RegulariserSum, RegulariserTerm
from pullback.energy.regulariser import Regulariser
from pullback.energy.regulariser.jacobians import jacobian_where, slopes_where
from pullback.optimise import LBFGS, BSpline, Level, Schedule
from pullback.registration import Optimise, Recipe
from pullback.space import Space
from pullback.transforms import Affine, Displacement


def linear_field(space: Space, matrix: torch.Tensor) -> torch.Tensor:
    offset = space.grid() - space.centre
    return (offset @ matrix.T - offset).movedim(-1, 0)


def test_turns_of_any_size_are_free(dimension, oblique_space):
    space = oblique_space(dimension)
    for degrees in (5.0, 90.0, 170.0):
        turn = Affine.rigid([degrees, -20.0, 30.0] if dimension == 3 else degrees).linear
        assert float(LocalRigidity().loss(linear_field(space, turn), space)) < 1e-20
        assert float(Elastic().loss(linear_field(space, turn), space)) > 1e-5


@pytest.mark.parametrize(
    ("weights", "expected"), [((0.0, 1.0, 0.0), 0.21**2), ((0.0, 0.0, 1.0), 0.1**2), ((1.0, 0.0, 0.0), 0.0)]
)
def test_a_stretch_costs_what_the_formula_says(weights, expected, dimension, oblique_space):
    space = oblique_space(dimension)
    stretch = torch.eye(dimension, dtype=torch.float64)
    stretch[0, 0] = 1.1
    found = float(LocalRigidity(*weights).loss(linear_field(space, stretch), space))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_a_reflection_is_no_turn():
    space = Space.of_array((9, 9))
    mirror = linear_field(space, torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64)))
    assert float(LocalRigidity(properness=0.0).loss(mirror, space)) < 1e-9
    assert float(LocalRigidity(properness=2.0).loss(mirror, space)) == pytest.approx(8.0)


def test_slopes_and_determinants_are_of_the_same_differences(dimension, oblique_space, smooth_field):
    space = oblique_space(dimension)
    field = smooth_field(space, 2.0)
    within = field[0] > 0
    whole = slopes_where(field, space, within) + torch.eye(dimension)
    assert torch.allclose(torch.linalg.det(whole), jacobian_where(field, space, within), atol=1e-4)


def turned_bone(degrees: float):
    """A bright bar in even tissue, turned rigidly with what is near it; the bar in the fixed image; the exact field."""
    space = Space.of_array((48, 48), 2.0)
    offset = space.grid() - space.centre
    fade = torch.cos(((offset.norm(dim=-1) - 20) / 25).clamp(0, 1) * math.pi / 2) ** 2
    c, s = torch.cos(math.radians(degrees) * fade), torch.sin(math.radians(degrees) * fade)
    x, y = offset.unbind(dim=-1)
    truth = Displacement((torch.stack([c * x - s * y, s * x + c * y]) - offset.movedim(-1, 0)).float(), space)
    draw = torch.Generator().manual_seed(0)
    tissue = ops.smooth(torch.randn(1, 1, 48, 48, generator=draw), [1.5, 1.5])[0]
    bone = ((x.abs() < 17) & (y.abs() < 8)).float()[None]
    edge = ops.smooth(bone[None], [0.6, 0.6])[0]
    moving = pb.Image((0.3 + 0.15 * tissue / tissue.std()) * (1 - edge) + 0.9 * edge, space)
    fixed = pb.apply(truth, moving, onto=moving)
    noise = 0.02 * torch.randn(2, 1, 48, 48, generator=draw)
    within = pb.apply(truth, pb.Image(bone, space), onto=moving)  # soft at its rim
    return pb.Image(fixed.data + noise[0], space), pb.Image(moving.data + noise[1], space), within, truth


def stretches_and_turn(regulariser: Regulariser, fixed, moving, bone):
    """Singular values of the map at the bone's voxels, and by how many degrees they turn on average."""
    terms = RegulariserSum((RegulariserTerm(Bending(), 1.0), RegulariserTerm(regulariser, 1.0, within="bone")))
    schedule = Schedule((Level(2, 60), Level(1, 40)))
    stage = Optimise(BSpline(4.0), Energy(NCC(), terms, 1.0), LBFGS(), schedule)
    result = pb.register(fixed, moving, Recipe("bone", "", (stage,)), masks={"bone": (bone, None)})
    assert result.ok
    field = result.transform.displace(fixed.space).float()
    u, values, vh = torch.linalg.svd(slopes_where(field, fixed.space, bone.data[0] > 0.5) + torch.eye(2))
    turn = u @ vh
    return values, float(torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0])).mean()), field


def test_a_bone_that_turns_by_20_degrees_stays_rigid_where_elastic_holds_it_back():
    fixed, moving, bone, truth = turned_bone(20.0)
    stretches, degrees, field = stretches_and_turn(LocalRigidity(), fixed, moving, bone)
    assert abs(abs(degrees) - 20) < 0.5
    assert float((stretches - 1).abs().max()) < 0.01
    inside = bone.data[0] > 0.5
    assert float((field - truth.field).norm(dim=0)[inside].mean()) < 0.2  # mm
    stretches, degrees, field = stretches_and_turn(Elastic(), fixed, moving, bone)
    assert abs(degrees) < 19.2
    assert float((stretches - 1).abs().max()) > 0.03

"""TimeVaryingVelocity: deformations that no single velocity makes, undone by their own path."""

import math

import pytest
import torch

import pullback as pb
from pullback.energy import LNCC, MSE, Energy, Sobolev
from pullback.errors import RecipeError
from pullback.optimise import LBFGS, SVF, GradientDescent, Level, Schedule, Smoothed, TimeVaryingVelocity
from pullback.registration import Optimise, Recipe, Symmetric
from pullback.space import Space
from pullback.transforms import Displacement, Flow, Velocity

SPACE = Space.of_array((64, 64), 1.0)
INSIDE = (SPACE.grid() - SPACE.centre).norm(dim=-1) < 28


def vortex(shift: float, degrees: float) -> Velocity:
    """A disc that turns about a point beside the middle, less and less towards its rim."""
    x = SPACE.grid() - SPACE.centre - torch.tensor([shift, 0.0])
    turn = math.radians(degrees) * torch.cos((x.norm(dim=-1) / 22).clamp(0, 1) * math.pi / 2) ** 2
    return Velocity(torch.stack([-x[..., 1] * turn, x[..., 0] * turn]).float(), SPACE, 8)


def one(model, stage=Optimise, optimiser=None, energy=None, levels=((4, 50), (2, 50), (1, 40))):
    schedule = Schedule(tuple(Level(*level) for level in levels))
    return Recipe("one", "", (stage(model, energy or Energy(MSE()), optimiser or GradientDescent(0.5), schedule),))


@pytest.fixture(scope="module")
def crossing():
    """Two discs that overlap and turn one after the other; both images are maps of where everything is."""
    truth = vortex(7.0, 60.0) @ vortex(-7.0, 60.0)
    moving = pb.Image(((SPACE.grid() - SPACE.centre) / 20).movedim(-1, 0).float(), SPACE)
    return pb.apply(truth, moving, onto=moving), moving, truth.displace(SPACE).float()


def error(result, truth):
    """Mean distance from the truth, mm; voxels are as large."""
    assert float(Displacement(result.transform.displace(SPACE), SPACE).jacobian().min()) > 0
    return float((result.transform.displace(SPACE) - truth).norm(dim=0)[INSIDE].mean())


def test_crossing_flows_are_made_better_than_by_one_velocity(crossing):
    fixed, moving, truth = crossing
    found = pb.register(fixed, moving, one(TimeVaryingVelocity(1.5, 0.0)))
    still = pb.register(fixed, moving, one(SVF(1.5, 0.0, squarings=8)))
    assert isinstance(found.transform, Flow)
    assert error(found, truth) < 0.02
    assert error(found, truth) < 0.4 * error(still, truth)


@pytest.mark.parametrize("optimiser", [GradientDescent(0.5), LBFGS(longest_voxels=0.5)])
@pytest.mark.parametrize("stage", [Optimise, Symmetric])
def test_every_way_to_minimise_ends_near_and_can_be_undone(crossing, optimiser, stage):
    fixed, moving, truth = crossing
    result = pb.register(fixed, moving, one(TimeVaryingVelocity(2.0, 0.7), stage, optimiser))
    assert result.ok
    assert error(result, truth) < 0.2
    there, points = result.transform, SPACE.grid()[INSIDE]
    assert float((there.inverse()(there(points)) - points).norm(dim=-1).mean()) < 0.1  # of a voxel


def test_swapping_the_images_of_a_symmetric_stage_gives_the_inverse():
    pair = pb.phantom.make("pair", shape=(64, 64), spacing=(4.2, 4.2))
    recipe = one(TimeVaryingVelocity(2.0), Symmetric, energy=Energy(LNCC()), levels=((2, 15),))
    there = pb.register(pair.fixed, pair.moving, recipe).transform
    back = pb.register(pair.moving, pair.fixed, recipe).transform
    points = pair.fixed.space.grid()[8:-8, 8:-8]
    assert float((there(points) - points).norm(dim=-1).max()) > 4.0
    assert float((back(there(points)) - points).norm(dim=-1).max()) < 0.1 * pair.fixed.space.finest


def test_the_energy_of_the_path_shortens_it():
    pair = pb.phantom.make("pair", shape=(64, 64), spacing=(4.2, 4.2))
    lengths = []
    for weight in (0.0, 0.01):
        energy = Energy(LNCC(), Sobolev(10.0), weight)
        for stage in (Optimise, Symmetric):
            result = pb.register(
                pair.fixed, pair.moving, one(TimeVaryingVelocity(2.0), stage, energy=energy, levels=((2, 12),))
            )
            lengths.append(float(result.transform.displace(pair.fixed.space).norm(dim=0).mean()))
    assert lengths[2] < 0.8 * lengths[0]
    assert lengths[3] < 0.8 * lengths[1]


def test_hearts_come_to_lie_on_each_other_as_well_as_with_one_velocity():
    overlaps = []
    for model in (TimeVaryingVelocity(), SVF()):
        pair = pb.phantom.make("pair", shape=(96, 96), spacing=(2.8, 2.8))
        result = pb.register(pair.fixed, pair.moving, one(model, energy=Energy(LNCC()), levels=((4, 40), (2, 20))))
        carried = pb.apply(result.transform, pair.moving_labels, onto=pair.fixed)
        found = pb.evaluate.dice(carried, pair.fixed_labels).values()
        overlaps.append(sum(found) / len(found))
    assert overlaps[0] > 0.99 * overlaps[1]
    assert overlaps[0] > 0.9


def test_a_smoothed_path_is_smooth_over_mm():
    model = Smoothed(TimeVaryingVelocity(0.0, 0.0), "gaussian", reach_mm=6.0)
    pair = pb.phantom.make("pair", shape=(64, 64), spacing=(4.2, 4.2))
    for stage in (Optimise, Symmetric):
        recipe = one(model, stage, LBFGS(longest_voxels=1.0), Energy(LNCC()), ((2, 15),))
        result = pb.register(pair.fixed, pair.moving, recipe)
        assert result.quality.loss_after < 0.8 * result.quality.loss_before
        assert result.quality.fold_percent == 0


def test_an_odd_path_has_no_middle():
    with pytest.raises(RecipeError, match="even number of intervals"):
        one(TimeVaryingVelocity(intervals=3), Symmetric)

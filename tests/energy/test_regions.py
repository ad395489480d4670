"""A regulariser within a mask that is given to register by name."""

import pytest
import torch

import pullback as pb
from pullback.energy import MSE, Energy, Incompressible, RegulariserSum, RegulariserTerm
from pullback.errors import InputError
from pullback.evaluate.deformation import jacobian_map
from pullback.image import Image
from pullback.optimise import LBFGS, BSpline, Level, Schedule
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise


def recipe(weight: float) -> Recipe:
    within = RegulariserSum((RegulariserTerm(Incompressible(), 1.0, within="muscle"),))
    stage = Optimise(BSpline(), Energy(MSE(), within, weight), LBFGS(), Schedule((Level(4, 25), Level(2, 15))))
    return Recipe(name="kept", description="A spline that keeps the area of the muscle.", stages=(stage,))


def test_within_a_mask_areas_are_kept():
    pair = pb.phantom.make("pair")
    muscle = Image((pair.fixed_labels.data == 2)[None].to(torch.float32), pair.fixed.space)
    change = []
    for weight in (0.0, 5.0):
        result = pb.register(pair.fixed, pair.moving, recipe=recipe(weight), masks={"muscle": (muscle, None)})
        space = pair.fixed.space
        area = jacobian_map(result.transform.displace(space).to(torch.float32), space)
        change.append(float((area - 1)[muscle.data[0] > 0].abs().mean()))
    assert change[1] < 0.5 * change[0]


def test_a_region_that_was_not_given_is_told():
    pair = pb.phantom.make("pair")
    with pytest.raises(InputError, match="muscle"):
        pb.register(pair.fixed, pair.moving, recipe=recipe(1.0))

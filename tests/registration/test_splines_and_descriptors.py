"""B-splines and MIND on phantoms with a known answer: accuracy is the distance from it in the heart, never the loss."""

from dataclasses import replace

import pytest

from pullback.energy import MIND, NCC, Bending, Energy, MutualInformation
from pullback.evaluate import deformation
from pullback.image import Image
from pullback.optimise import LBFGS, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.phantom import heart_pair
from pullback.registration import Optimise, Recipe
from pullback.registration.register import register

AFFINE = Optimise(Linear("affine"), Energy(MutualInformation()), LBFGS(), Schedule((Level(4.0, 60), Level(2.0, 40))))


def registered(pair, energy, model, optimiser):
    """Affine first, then the deformation."""
    schedule = Schedule((Level(4.0, 60), Level(2.0, 60), Level(1.0, 40)))
    recipe = Recipe("test", "affine, then deformable", (AFFINE, Optimise(model, energy, optimiser, schedule)))
    return register(pair.fixed, pair.moving, recipe)


def error_mm(transform, pair):
    """The mean distance from the true place over the heart."""
    points = pair.fixed.space.grid()[pair.fixed_labels.data > 0]
    return float((transform(points) - pair.truth(points)).norm(dim=-1).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_spline_finds_a_known_warp(seed):
    """From 7 mm before and 3 mm after the affine stage to less than a third of a voxel (1.4 mm)."""
    pair = heart_pair(2, seed=seed)
    found = registered(pair, Energy(NCC(), Bending(), 25.0), BSpline(5.0), LBFGS())
    assert found.ok
    assert error_mm(found.outcomes[0].transform, pair) > 1.5
    assert error_mm(found.transform, pair) < 0.6
    assert deformation(found.transform, pair.fixed.space).jacobian_min > 0.2
    assert "ffd" in found.outcomes[1].kernels


@pytest.mark.parametrize("seed", [0, 1])
def test_descriptors_find_a_known_warp_across_contrasts(seed):
    """Bright blood on dark blood: correlation is led astray, descriptors are not."""
    pair = heart_pair(2, moving_contrast="t2", seed=seed)
    found = registered(pair, Energy(MIND(), Bending(), 50.0), BSpline(5.0), LBFGS())
    assert found.ok
    assert error_mm(found.transform, pair) < 0.7
    assert error_mm(found.transform, pair) < 0.5 * error_mm(found.outcomes[0].transform, pair)
    assert {"mind", "ffd"} <= set(found.outcomes[1].kernels)
    astray = registered(pair, Energy(NCC(), Bending(), 50.0), BSpline(5.0), LBFGS())
    assert error_mm(astray.transform, pair) > 1.5 * error_mm(found.transform, pair)


def test_descriptors_lead_a_dense_field_too():
    pair = heart_pair(2, moving_contrast="t2", seed=1)
    found = registered(pair, Energy(MIND()), Greedy(4.0, 1.0), GradientDescent())
    assert found.ok
    assert error_mm(found.transform, pair) < 0.6 * error_mm(found.outcomes[0].transform, pair)


def test_how_the_moving_image_is_stored_does_not_matter_in_the_heart():
    """Far off in the air there is nothing to tell, and rounding decides."""
    pair = heart_pair(2, moving_contrast="t2", seed=0)
    energy, model = Energy(MIND(), Bending(), 50.0), BSpline(5.0)
    turned = Image(pair.moving.data.flip(1).transpose(1, 2).contiguous(), pair.moving.space.flip(0).permute((1, 0)))
    points = pair.fixed.space.grid()[pair.fixed_labels.data > 0]
    here, there = (
        registered(p, energy, model, LBFGS()).transform(points) for p in (pair, replace(pair, moving=turned))
    )
    assert float((here - there).norm(dim=-1).mean()) < 0.3

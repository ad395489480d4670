"""Every optimiser that suits a matrix finds a known one, from a stage as a recipe holds it."""

import pytest

from pullback.energy import LNCC, MSE, NCC, Energy, MutualInformation
from pullback.errors import RecipeError
from pullback.optimise import (
    LBFGS,
    Adam,
    ConjugateGradient,
    GradientDescent,
    Level,
    LevenbergMarquardt,
    Linear,
    Schedule,
    StochasticDescent,
)
from pullback.registration import Optimise, Recipe, register
from pullback.transforms import Affine, Displacement

OPTIMISERS = {
    "descent": (GradientDescent(step_voxels=0.5), None),
    "nesterov": (GradientDescent(step_voxels=0.5, momentum=0.8, nesterov=True), None),
    "wolfe": (GradientDescent(step_voxels=4.0, line_search="wolfe"), None),
    "adam": (Adam(step_voxels=0.1), None),
    "conjugate": (ConjugateGradient(), None),
    "l-bfgs": (LBFGS(), None),
    "levenberg-marquardt": (LevenbergMarquardt(), None),
    "levenberg-marquardt at random places": (LevenbergMarquardt(), 1500),
    "stochastic": (StochasticDescent(step_voxels=1.0), 400),
}


def recipe(optimiser, similarity, samples=None, freedom="rigid", steps=60):
    schedule = Schedule((Level(2, steps), Level(1, steps)), tolerance=1e-6)
    return Recipe("r", "d", (Optimise(Linear(freedom), Energy(similarity), optimiser, schedule, samples),))


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("similarity", [MSE(), NCC()])
def test_a_known_pose_is_found(name, similarity, paint, grid, corner_error):
    space = grid(2)
    truth = Affine.rigid(6.0, [2.5, -1.5], space.centre)
    optimiser, samples = OPTIMISERS[name]
    found = register(paint(space, truth), paint(space), recipe(optimiser, similarity, samples))
    assert found.ok
    assert corner_error(found.transform, truth, space) < 0.2 * space.finest


def test_a_volume_of_thick_slices_takes_a_handful_of_damped_steps(paint, grid, corner_error):
    space = grid(3, (6.0, 2.4, 2.4))
    truth = Affine.similarity(1.04, [4.0, -3.0, 5.0], [2.0, -1.0, 1.5], space.centre)
    found = register(paint(space, truth), paint(space), recipe(LevenbergMarquardt(), NCC(), 5000, "affine"))
    assert found.ok
    assert corner_error(found.transform, truth, space) < 0.6
    assert sum(len(level.losses) for level in found.outcomes[0].history) < 30


def test_damping_without_squares_is_told_before_any_step(paint, grid):
    image = paint(grid(2))
    for similarity in (MutualInformation(), LNCC()):
        with pytest.raises(RecipeError, match="LevenbergMarquardt suits a Linear model with MSE or NCC"):
            register(image, image, recipe(LevenbergMarquardt(), similarity))
    bent = Displacement(0.0 * image.space.grid().movedim(-1, 0).float(), image.space)
    with pytest.raises(RecipeError, match="an initial transform that is a matrix"):
        register(image, image, recipe(LevenbergMarquardt(), NCC()), initial=bent)

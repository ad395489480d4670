"""Cardiac short-axis cine: large motion of the heart in a body that stays."""

from pullback.energy import MSE, Energy
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.initialise import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def cardiac_sax() -> Recipe:
    """Two phases of one short-axis cine, for example end-diastole and end-systole."""
    return Recipe(
        name="cardiac-sax",
        description="Two phases of a short-axis cine stack: same scanner, same contrast, large cardiac motion.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),  # breath-hold shifts; the heart itself moves too much for an affine
            Optimise(
                Greedy(smooth_update_voxels=1.7, smooth_total_voxels=0.7),
                Energy(MSE()),  # blood stays bright and muscle dark: differences pull harder than correlations
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=80), Level(1, steps=40))),
            ),
        ),
    )

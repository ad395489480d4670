"""Cardiac short-axis cine: large motion of the heart in a body that stays."""

from pullback.energy import LNCC, MSE, Energy, Term, WeightedSum
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.initialisation import AlignCentres
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
            linear_stage("rigid", finest=4),  # breath-hold shifts
            linear_stage("affine", finest=2),  # and the part of the contraction that is the same everywhere
            Optimise(
                Greedy(
                    smooth_update_voxels=3.0,  # muscle moves as a whole: wide, fluid steps
                    smooth_total_voxels=0.4,
                    gradient_of="moving",  # still pulls where the cavity shrinks to a third
                ),
                Energy(
                    WeightedSum(
                        (
                            Term(LNCC(radius_voxels=3, floor=1e-5), 1.0),  # every edge pulls, however low its contrast
                            Term(MSE(), 10.0),  # blood is bright and muscle dark: pulls walls that lie far apart
                        )
                    )
                ),
                GradientDescent(step_voxels=0.5),  # half a voxel a step cannot fold
                Schedule((Level(4, steps=100), Level(2, steps=80), Level(1, steps=40))),
            ),
        ),
    )

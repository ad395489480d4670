"""Two different contrasts: by mutual information, or for hearts by self-similarity."""

from pullback.energy import MIND, Bending, Energy, MutualInformation
from pullback.optimise import LBFGS, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.optimise.parametrisation.linear import Freedom
from pullback.registration.finishing import SoftSpline
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise, Stage

PLACES = 50_000
"""At most so many random places: on a grid, descriptors read between the voxels are blurred and look more alike."""


def multimodal() -> Recipe:
    """Two contrasts of one anatomy: T1 and T2, MR and CT."""
    return Recipe(
        name="multimodal",
        description="Affine, then a stiff smooth deformation, both by mutual information, for two different contrasts.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=2),
            linear_stage("affine", finest=2),
            Optimise(
                Greedy(  # stiff: mutual information is a weak guide
                    smooth_update_voxels=4.0,
                    smooth_total_voxels=1.5,
                    gradient_of="moving",
                ),
                Energy(MutualInformation(bins=32)),
                GradientDescent(step_voxels=0.25),
                Schedule((Level(4, steps=60), Level(2, steps=40))),  # the finest level would fit noise
            ),
        ),
    )


def cardiac_multimodal() -> Recipe:
    """Two contrasts of one heart in one breath-hold position or nearly so: cine and T2, cine and late enhancement."""
    return Recipe(
        name="cardiac-multimodal",
        description="Affine, then a stiff spline, for two contrasts of one heart: cine, T2, late enhancement, maps.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=2),
            # chest wall and heart may have moved apart: what is near tells more than the histogram of all
            _by_descriptors("rigid", (Level(4, steps=50),)),
            _by_descriptors("affine", (Level(4, steps=50), Level(2, steps=50))),
            # the contrasts agree about few edges in the heart: a soft spline would follow those that do not
            Optimise(
                BSpline(),
                Energy(MIND(form="both"), Bending(), 500.0),
                LBFGS(),
                Schedule((Level(4, steps=40), Level(2, steps=40))),
                samples=PLACES,
            ),
            SoftSpline(),  # unless they agree about more: then what is left of a stiff one
        ),
    )


def _by_descriptors(freedom: Freedom, levels: tuple[Level, ...]) -> Stage:
    return Optimise(Linear(freedom), Energy(MIND(form="both")), LBFGS(), Schedule(levels), samples=PLACES)

"""Two different contrasts: mutual information for the pose, self-similarity beside it for a spline."""

from pullback.energy import MIND, Bending, Energy, MutualInformation, Similarity, Term, WeightedSum
from pullback.optimise import LBFGS, BSpline, Level, Linear, Schedule
from pullback.optimise.parametrisation.linear import Freedom
from pullback.registration.initialise import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise, Stage

PLACES = 250_000
"""At most so many random places: on a grid, descriptors read between the voxels are blurred and look more alike."""


def multimodal() -> Recipe:
    """Two contrasts of one anatomy: T1 and T2, MR and CT."""
    return Recipe(
        name="multimodal",
        description="Affine, then a smooth spline by mutual information and self-similarity: two different contrasts.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=2),
            linear_stage("affine", finest=2),
            _spline(
                WeightedSum(
                    (
                        Term(MutualInformation(bins=32), 1.0),  # right about tissues, vague about places
                        Term(MIND(form="both"), 2.0),  # right about places, led astray where tissues look alike
                    )
                ),
                bending=100.0,
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
            _spline(MIND(form="both"), bending=500.0),
        ),
    )


def _by_descriptors(freedom: Freedom, levels: tuple[Level, ...]) -> Stage:
    return Optimise(Linear(freedom), Energy(MIND(form="both")), LBFGS(), Schedule(levels), samples=PLACES)


def _spline(similarity: Similarity, bending: float) -> Stage:
    levels = (Level(4, steps=40), Level(2, steps=40))
    return Optimise(BSpline(), Energy(similarity, Bending(), bending), LBFGS(), Schedule(levels), samples=PLACES)

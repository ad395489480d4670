"""Fast: a deformation without the fine levels, for a first look or for thousands of pairs."""

from pullback.energy import LNCC, Energy
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def fast() -> Recipe:
    """As `deformable`, but nothing finer than two voxels: most of the alignment in less time and memory."""
    return Recipe(
        name="fast",
        description="Affine, then a smooth deformation at half resolution: a first look, or thousands of pairs.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),
            linear_stage("affine", finest=4),
            Optimise(
                Greedy(smooth_update_voxels=2.6, smooth_total_voxels=0.7, spacing_voxels=2.0),  # as in `deformable`
                Energy(LNCC(radius_voxels=2)),
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=60))),  # a field this smooth needs no finer grid
            ),
        ),
    )

"""Large deformation: a search over displacements first, then descent."""

from pullback.energy import LNCC, Energy
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.initialisation import AlignCentres, ConvexSearch
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def large_deformation() -> Recipe:
    """One contrast, with parts that move farther than they are large: descent would match each with its neighbour."""
    return Recipe(
        name="large-deformation",
        description="Motion larger than the parts that move: displacements searched from 40 mm down, then refined.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),  # no affine stage: it bends to what only a part of the image does
            ConvexSearch(reach_mm=40.0, spacing_mm=8.0, shrink=3.0),  # each search halves what is left
            ConvexSearch(reach_mm=20.0, spacing_mm=6.0, shrink=2.0),
            ConvexSearch(reach_mm=10.0, spacing_mm=4.0, shrink=2.0),
            Optimise(
                Greedy(smooth_update_voxels=2.75, smooth_total_voxels=0.5),  # from here on like `deformable`
                Energy(LNCC(radius_voxels=2)),
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=60), Level(1.4, steps=15), Level(1, steps=5))),
            ),
        ),
    )

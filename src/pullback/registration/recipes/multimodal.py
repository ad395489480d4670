"""Multimodal: different contrasts, from affine to a stiff deformation."""

from pullback.energy import Energy, MutualInformation
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.initialise import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def multimodal() -> Recipe:
    """Two contrasts of one anatomy: cine and T2, T1 and T2, MR and CT."""
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

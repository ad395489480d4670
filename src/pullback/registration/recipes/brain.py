"""Brains: one person's scans, and two people's."""

from pullback.energy import LNCC, MSE, Energy, Term, WeightedSum
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.finishing import Unfold
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage, settled
from pullback.registration.stage import Optimise


def brain_mri() -> Recipe:
    """Two scans of one brain in one session or a few, whatever their contrasts: a head does not stretch."""
    return Recipe(
        name="brain-mri",
        description="Rigid, then what scanners distort: two scans of one person's head, any contrast.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=1),  # to a tenth of a voxel
            linear_stage("affine", finest=1),  # gradients differ by a per cent or so between scanners and sequences
            settled("affine"),  # half of what mutual information leaves, where both scans show one contrast
        ),
    )


def brain_intersubject() -> Recipe:
    """Two people's brains of one contrast, best without skull, or a brain and a template."""
    return Recipe(
        name="brain-intersubject",
        description="Affine, then a smooth deformation that follows folds: two people's brains of one contrast.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),
            linear_stage("affine", finest=2),
            Optimise(
                Greedy(  # folds are narrower than organs
                    smooth_update_voxels=1.8, smooth_total_voxels=0.6, spacing_voxels=2.0
                ),
                Energy(
                    WeightedSum(
                        (
                            Term(LNCC(radius_voxels=3), 1.0),  # every edge pulls
                            Term(MSE(), 10.0),  # and fluid, grey and white matter are as bright in every brain
                        )
                    )
                ),
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=60), Level(1.4, steps=15), Level(1, steps=20))),
            ),
            Unfold(),  # so little smoothing would fold a voxel here and there
        ),
    )

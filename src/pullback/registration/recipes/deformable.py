"""Deformable, the default: affine, then a dense diffeomorphic deformation."""

from pullback.energy import LNCC, Energy
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration.finishing import SplineFinish
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def deformable() -> Recipe:
    """Two images of one kind of scan, of one person or of two."""
    return Recipe(
        name="deformable",
        description="Affine, then a smooth diffeomorphic deformation, for two images of one contrast.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),
            linear_stage("affine", finest=2),
            Optimise(
                Greedy(  # wide fluid steps, a little elasticity; a field this smooth needs no vector at every voxel
                    smooth_update_voxels=2.6, smooth_total_voxels=0.7, spacing_voxels=2.0
                ),
                Energy(LNCC(radius_voxels=2)),  # local: shading and gain do not matter
                GradientDescent(step_voxels=0.5),  # half a voxel a step cannot fold
                Schedule(
                    (
                        Level(4, steps=100),
                        Level(2, steps=60),
                        Level(1.4, steps=15),  # nearly as sharp as 1, at a third of its cost
                        Level(1, steps=7),
                    )
                ),
            ),
            SplineFinish(),  # the same tissue twice: less noise in the field; other pairs stay as they are
        ),
    )

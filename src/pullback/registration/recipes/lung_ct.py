"""Lung CT: vessels that breathe by several of their own widths, and slide along a chest wall that stays."""

from pullback.energy import LNCC, Energy
from pullback.optimise import GradientDescent, Level, Schedule, Sliding
from pullback.registration.initialisation import AlignCentres, ConvexSearch
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.linear import linear_stage
from pullback.registration.stage import Optimise


def lung_ct() -> Recipe:
    """Breathed in and breathed out, or two visits; the mask "lung" of the fixed image lets them slide."""
    return Recipe(
        name="lung-ct",
        description="Two CTs of one pair of lungs at different breath: a search over displacements, then descent.",
        stages=(
            AlignCentres(),
            linear_stage("rigid", finest=4),  # the spine and ribs; breath is not affine
            ConvexSearch(reach_mm=40.0, spacing_mm=8.0, shrink=3.0),  # the diaphragm moves by up to some 40 mm
            ConvexSearch(reach_mm=20.0, spacing_mm=6.0, shrink=2.0),
            ConvexSearch(reach_mm=8.0, spacing_mm=4.0, shrink=2.0),
            Optimise(
                Sliding(  # as `large-deformation`, and with the mask "lung" the lungs slide along the ribs
                    within="lung", smooth_update_voxels=2.75, smooth_total_voxels=0.5, optional=True
                ),
                Energy(LNCC(radius_voxels=2)),  # lung gets brighter as it empties: no measure of brightness itself
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=60), Level(1.4, steps=15), Level(1, steps=5))),
            ),
        ),
    )

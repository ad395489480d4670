"""Longitudinal: one person at two times, neither of them favoured."""

from pullback.energy import LNCC, Energy, MutualInformation
from pullback.optimise import LBFGS, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.registration.initialisation import AlignCentres
from pullback.registration.recipe import Recipe
from pullback.registration.symmetric import Symmetric


def longitudinal() -> Recipe:
    """Both images go half the way, rigidly and then deformed, so that swapping them gives the inverse.

    An image that is read between its voxels is blurred a little; where only one of two is, the difference passes for
    change (Reuter and Fischl, NeuroImage 57(1), 2011).
    """
    return Recipe(
        name="longitudinal",
        description="Symmetric: rigid and a smooth deformation from the middle, for one person at two times, no bias.",
        stages=(
            AlignCentres(),
            Symmetric(
                Linear("rigid"),
                Energy(MutualInformation(bins=32)),
                LBFGS(),
                Schedule(tuple(Level(shrink, steps=40) for shrink in (8, 4, 2, 1)), tolerance=1e-5),
                samples=500_000,
            ),
            Symmetric(
                Greedy(smooth_update_voxels=2.75, smooth_total_voxels=0.7),  # each half goes half as far: stiffer
                Energy(LNCC(radius_voxels=2)),
                GradientDescent(step_voxels=0.5),
                Schedule((Level(4, steps=100), Level(2, steps=60), Level(1.4, steps=15), Level(1, steps=5))),
            ),
        ),
    )

"""Group: images of one person whose contrast changes, as in mapping and perfusion."""

from pullback.energy import NCC, Bending, Energy
from pullback.optimise import LBFGS, BSpline, Level, Linear, Schedule
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise


def group() -> Recipe:
    """A series of one slice or stack, for `pullback group`: breathing shifts, then a smooth deformation."""
    energy = Energy(NCC(), Bending(), regulariser_weight=500.0)
    return Recipe(
        name="group",
        description="A series of one person, brought together by a group cost: translation, then a stiff B-spline.",
        stages=(
            Optimise(
                Linear("translation"),  # breathing; turning is for the spline
                Energy(NCC()),  # stands for the group's cost
                LBFGS(),
                Schedule((Level(4, steps=30), Level(2, steps=20)), tolerance=1e-5),
            ),
            Optimise(
                BSpline(spacing_voxels=12.0),  # wide and stiff: changing contrast must not pass for motion
                energy,
                LBFGS(longest_voxels=1.0),
                Schedule((Level(4, steps=40), Level(2, steps=30), Level(1, steps=20))),
            ),
        ),
    )

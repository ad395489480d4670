"""Thorough: the default with more of everything that was seen to help."""

from dataclasses import replace

from pullback.optimise import Level, Schedule
from pullback.registration.initialisation import Search
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.deformable import deformable
from pullback.registration.recipes.linear import linear_stage


def thorough() -> Recipe:
    """As `deformable`, from any pose and with more steps at full resolution: when a minute does not matter."""
    usual = deformable()
    centres, dense = usual.stages[0], usual.dense
    levels = (Level(4, steps=200), Level(2, steps=120), Level(1.4, steps=40), Level(1, steps=20))
    return replace(
        usual,
        name="thorough",
        description="As deformable, from any pose, with finer linear stages and more fine steps.",
        stages=(
            centres,
            Search(),  # the header may be wrong by any turn
            linear_stage("rigid", finest=2),
            linear_stage("affine", finest=1),
            replace(dense, schedule=Schedule(levels)),
        ),
    )

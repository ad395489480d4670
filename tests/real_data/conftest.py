"""What several of these tests share."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pullback.registration import Optimise, Recipe


@pytest.fixture(scope="session")
def off_the_grid() -> Callable[[Recipe], Recipe]:
    """A recipe whose last level has voxels that never fall on those of the moving image; see `at_level`."""

    def make(recipe: Recipe) -> Recipe:
        *first, last = recipe.stages
        assert isinstance(last, Optimise)
        *coarse, fine = last.schedule.levels
        schedule = replace(last.schedule, levels=(*coarse, replace(fine, shrink=1.4)))
        return replace(recipe, stages=(*first, replace(last, schedule=schedule)))

    return make

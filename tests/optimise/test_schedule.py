"""From coarse to fine, in mm: a thick axis is not shrunk."""

import math

import pytest

from pullback.errors import RecipeError
from pullback.optimise import Level, Schedule
from pullback.optimise.schedule import FEWEST_VOXELS, level_shape
from pullback.space import Space


def test_a_thick_axis_stays_whole():
    stack = Space.of_array((10, 256, 256), (10.0, 1.5, 1.5))
    assert level_shape(stack, 6.0) == (10, 64, 64)
    assert level_shape(stack, 1.5) == (10, 256, 256)
    assert level_shape(stack, 15.0) == (10, 26, 26)


def test_enough_voxels_stay_to_compare():
    for shape in ((40, 200), (300, 300), (70, 90, 80), (1, 200, 200)):
        space = Space.of_array(shape)
        coarse = level_shape(space, 50.0)
        assert all(1 <= new <= old for new, old in zip(coarse, shape, strict=True))
        assert math.prod(coarse) >= 0.5 * min(FEWEST_VOXELS, math.prod(shape))
        assert coarse == level_shape(space, 500.0), "however coarse a level asks to be"


def test_nothing_is_ever_made_finer():
    space = Space.of_array((30, 40), (2.0, 1.0))
    assert level_shape(space, 0.25) == (30, 40)
    assert level_shape(space, 1.0) == (30, 40)


def test_voxel_sizes_of_a_level_are_alike():
    space = Space.of_array((100, 100, 200), (2.0, 2.0, 1.0))
    assert space.resized(level_shape(space, 4.0)).spacing == pytest.approx((4.0, 4.0, 4.0))


def test_a_level_counts_in_voxels_of_the_finest_axis():
    assert Level(4, 10).spacing_mm(Space.of_array((10, 64, 64), (8.0, 1.5, 1.5))) == 6.0
    assert Level(1, 10).spacing_mm(Space.of_array((1, 64, 64), (0.1, 1.5, 1.5))) == 1.5


@pytest.mark.parametrize("shrinks", [(1, 2), (4, 1, 2)])
def test_levels_go_from_coarse_to_fine(shrinks):
    with pytest.raises(RecipeError, match="coarse to fine"):
        Schedule(tuple(Level(s, 1) for s in shrinks))


def test_one_resolution_may_come_twice():
    assert len(Schedule((Level(2, 5), Level(2, 5), Level(1, 5))).levels) == 3

"""Schedule: from coarse to fine, in mm."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.errors import RecipeError
from pullback.space import Space
from pullback.typing import Shape

FEWEST_VOXELS = 4096
"""A level keeps about this many voxels at least, 64 x 64 or 16 x 16 x 16: fewer do not fill a joint histogram."""


@dataclass(frozen=True)
class Level:
    """One resolution.

    Attributes:
        shrink: voxel size of this level, in voxels of the image's finest axis; 1 is full resolution.
        steps: the most steps taken here.
    """

    shrink: float
    steps: int

    def spacing_mm(self, space: Space) -> float:
        """The voxel size of this level for an image on `space`."""
        return self.shrink * space.finest


@dataclass(frozen=True)
class Schedule:
    """Levels from coarse to fine.

    Attributes:
        levels: each a resolution and a number of steps.
        tolerance: a level ends early when its loss fell by less than this part over the last ten steps.
        shortest_voxels: or when none of the last ten steps moved a voxel farther than this, in voxels of the level.
        least_gradient: or when the gradient is shorter than this part of the longest that the level has seen; 0 for
            never. Not asked of gradients at fresh random places.

    Raises:
        RecipeError: the levels get coarser again.
    """

    levels: tuple[Level, ...]
    tolerance: float = 1e-4
    shortest_voxels: float = 0.0
    least_gradient: float = 0.0

    def __post_init__(self) -> None:
        shrinks = [level.shrink for level in self.levels]
        if shrinks != sorted(shrinks, reverse=True):
            raise RecipeError(f"a schedule needs levels from coarse to fine; got the shrink factors {shrinks}")


def level_shape(space: Space, spacing_mm: float, least_shrink: float = 1.0) -> Shape:
    """The shape of an image on a level: no axis finer than `spacing_mm`, and none shrunk that is already coarser.

    A 1.5 x 1.5 x 10 mm stack at 6 mm becomes 6 x 6 x 10: thick slices stay whole.

    Args:
        space: the image's own grid.
        spacing_mm: voxel size of the level.
        least_shrink: an axis that would shrink by no more than this factor stays as it is.
    """
    wide = sum(n > 1 for n in space.shape)
    fewest = round(FEWEST_VOXELS ** (1 / max(wide, 1)))
    shape = []
    for n, spacing in zip(space.shape, space.spacing, strict=True):
        wanted = round(n * spacing / spacing_mm) if spacing * least_shrink < spacing_mm else n
        shape.append(max(wanted, min(n, fewest)))
    return tuple(shape)

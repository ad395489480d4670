"""Distances between the surfaces of labels, in mm, every piece of surface counted by its area.

Tools differ here by more than registrations do (Podobnik and Vrtovec, arXiv 2410.02630). What is measured: the
surface runs through the cells between voxel centres (see `marching`); its distance to another surface is that between
the middles of the nearest cells of the two; a percentile is taken over area, not over voxels. These are the definitions
of DeepMind's surface-distance (Nikolov et al., arXiv 1809.04430), here for any spacing, rotation and shear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.evaluate.marching import cell_codes, surface_sizes
from pullback.evaluate.nearest import nearest_distances
from pullback.evaluate.overlap import check_one_grid
from pullback.image import Labels
from pullback.space import Space
from pullback.typing import Float, Tensor


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Two surfaces, piece by piece.

    Attributes:
        there: from each piece of the first surface to the nearest one of the second, mm, rising.
        there_areas: area of each piece (length in 2D), mm^2 (mm).
        back: from each piece of the second surface to the first, mm, rising.
        back_areas: their areas.
    """

    there: Float[Tensor, " n"]
    there_areas: Float[Tensor, " n"]
    back: Float[Tensor, " m"]
    back_areas: Float[Tensor, " m"]

    def hausdorff(self, percent: float = 100.0) -> float:
        """The larger of the two distances within which lies at least this part of a surface's area, in mm."""
        if not 0 < percent <= 100:
            raise InputError(f"a percentile lies above 0 and up to 100; got {percent}")
        return max(_within(self.there, self.there_areas, percent), _within(self.back, self.back_areas, percent))

    @property
    def mean(self) -> float:
        """The mean over the area of both surfaces together, in mm."""
        total = (self.there * self.there_areas).sum() + (self.back * self.back_areas).sum()
        return float(total / (self.there_areas.sum() + self.back_areas.sum()))


def hd95(fixed: Labels, warped: Labels) -> dict[int, float]:
    """For each label the 95 % Hausdorff distance in mm: the larger of the two directed, area-weighted percentiles.

    Args:
        fixed: labels of the fixed image.
        warped: labels of the moving image, pulled back onto the fixed one's grid.

    Returns:
        A number for each label of either, background left out; NaN where a label is absent from one of them.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> square = torch.zeros(8, 8, dtype=torch.int16)
        >>> square[2:5, 2:5] = 1
        >>> hd95(Labels.of(square, spacing=2.0), Labels.of(square.roll(1, dims=0), spacing=2.0))
        {1: 2.0}
    """
    return {
        label: math.nan if distances is None else distances.hausdorff(95.0)
        for label, distances in surface_distances(fixed, warped).items()
    }


def assd(fixed: Labels, warped: Labels) -> dict[int, float]:
    """For each label the average symmetric surface distance in mm, over the area of both surfaces together.

    Args:
        fixed: labels of the fixed image.
        warped: labels of the moving image, pulled back onto the fixed one's grid.

    Returns:
        A number for each label of either, background left out; NaN where a label is absent from one of them.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> square = torch.zeros(8, 8, dtype=torch.int16)
        >>> square[2:5, 2:5] = 1
        >>> assd(Labels.of(square), Labels.of(square))
        {1: 0.0}
    """
    found = surface_distances(fixed, warped)
    return {label: math.nan if distances is None else distances.mean for label, distances in found.items()}


def surface_distances(fixed: Labels, warped: Labels) -> dict[int, SurfaceDistances | None]:
    """The distances from which `hd95` and `assd` are taken, for each label; None where one of them lacks it.

    The surface is closed where a label touches the border of the grid. An axis of one voxel in 3D is left out: such a
    grid is measured as the slice that it is.

    Args:
        fixed: labels of the fixed image; "there" is from them.
        warped: labels of the moving image, pulled back onto the fixed one's grid.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> square = torch.zeros(8, 8, dtype=torch.int16)
        >>> square[2:5, 2:5] = 1
        >>> surface_distances(Labels.of(square), Labels.of(square.roll(1)))[1].hausdorff()
        1.0
    """
    check_one_grid(fixed, warped)
    axes = _measured_axes(fixed.space)
    shape = [fixed.space.shape[a] for a in axes]
    steps = fixed.space.linear[:, axes]
    sizes = surface_sizes(steps)
    result: dict[int, SurfaceDistances | None] = {}
    for label in sorted({*fixed.values, *warped.values}):
        a, b = (labels.data.cpu().reshape(shape) == label for labels in (fixed, warped))
        result[label] = _between(a, b, steps, sizes) if bool(a.any()) and bool(b.any()) else None
    return result


def _between(a: Tensor, b: Tensor, steps: Tensor, sizes: Tensor) -> SurfaceDistances:
    codes_a, codes_b = (cell_codes(mask) for mask in _cropped(a, b))
    pieces_a, pieces_b = ((codes > 0) & (codes < len(sizes) - 1) for codes in (codes_a, codes_b))
    there, order_there = nearest_distances(pieces_a, pieces_b, steps).sort()
    back, order_back = nearest_distances(pieces_b, pieces_a, steps).sort()
    areas_a, areas_b = sizes[codes_a[pieces_a]], sizes[codes_b[pieces_b]]
    return SurfaceDistances(there, areas_a[order_there], back, areas_b[order_back])


def _within(distances: Tensor, areas: Tensor, percent: float) -> float:
    """The smallest distance such that pieces up to it hold at least the given part of the area."""
    share = areas.cumsum(dim=0) / areas.sum()
    first = int(torch.searchsorted(share, torch.tensor(percent / 100, dtype=share.dtype)))
    return float(distances[min(first, len(distances) - 1)])


def _cropped(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both masks cut to the box that holds both, with one empty voxel around it."""
    places = (a | b).nonzero()
    low, high = places.amin(dim=0).tolist(), (places.amax(dim=0) + 1).tolist()
    box = tuple(slice(start, stop) for start, stop in zip(low, high, strict=True))
    border = [1, 1] * a.ndim
    return torch.nn.functional.pad(a[box], border), torch.nn.functional.pad(b[box], border)


def _measured_axes(space: Space) -> list[int]:
    long = [axis for axis, n in enumerate(space.shape) if n > 1]
    return long if len(long) >= 2 else list(range(space.dimension))

"""Surfaces: points on contours or surfaces of the fixed image, and on the same ones of the moving image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from pullback.energy.similarity.surface_distance import nearest_pairs
from pullback.errors import InputError
from pullback.image import Points

MOST_POINTS = 2000
"""Of either surface; all pairs of points are looked at in every step, and more would not be more precise."""
COARSER = 1.2
"""By this factor the lattice grows until few enough points are left."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Points on surfaces (in 2-D: on contours) of both images, in any order and number.

    Attributes:
        named: by name, points on the surface in the fixed and in the moving world, mm.

    Raises:
        InputError: there is no surface, or one without points, or of other dimensions, or not of finite numbers.

    Example:
        >>> ring = Points(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0]]))
        >>> Surfaces({"wall": (ring, ring)}).dimension
        2
    """

    named: Mapping[str, tuple[Points, Points]]

    def __post_init__(self) -> None:
        if not self.named:
            raise InputError("there are no surfaces; give (fixed points, moving points), or these by name")
        for name, pair in self.named.items():
            for side, points in zip(("fixed", "moving"), pair, strict=True):
                _check(f"the {side} surface {name!r}", points, self.dimension)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return next(iter(self.named.values()))[0].dimension

    def chosen(self, name: str | None) -> Surfaces:
        """The surface of a name alone; all for None.

        Raises:
            InputError: there is none of this name.
        """
        if name is None:
            return self
        if name not in self.named:
            raise InputError(f"a term compares the surface {name!r}, and there are {', '.join(self.named)}; give it "
                             "by that name")  # fmt: skip
        return Surfaces({name: self.named[name]})

    def thinned(self, device: str) -> Surfaces:
        """The same with `MOST_POINTS` of each at most, spread evenly, on a device."""
        return Surfaces({name: (_thin(f, device), _thin(m, device)) for name, (f, m) in self.named.items()})


def surface_distance(fixed: Points, moving: Points) -> float:
    """The mean distance of the points of either surface from the nearest of the other, mm, both ways alike."""
    mine, others, counts = nearest_pairs(fixed.world, moving.world)
    apart = (fixed.world[mine] - moving.world.to(fixed.world)[others]).norm(dim=1)
    return float((apart * counts.to(apart)).sum())


def _check(what: str, points: Points, dimension: int) -> None:
    if points.dimension != dimension:
        raise InputError(f"{what} is {points.dimension}D and another one {dimension}D; all must be of one dimension")
    if len(points.world) == 0:
        raise InputError(f"{what} has no points; give some, as close together as the answer is to be precise")
    if not bool(torch.isfinite(points.world).all()):
        raise InputError(f"{what} holds coordinates that are not finite numbers; leave those points out")


def _thin(points: Points, device: str) -> Points:
    """One point of each cell of a lattice, as fine as leaves few enough of them."""
    world = every = points.world.cpu()
    if len(world) > MOST_POINTS:
        size = world.amax(dim=0) - world.amin(dim=0)
        step = max(float(size.max()) / MOST_POINTS, 1e-6)
        while len(world) > MOST_POINTS:
            cells = ((every - every.amin(dim=0)) / step).floor().long()
            radix = int(cells.max()) + 1
            _, cell = torch.unique((cells * radix ** torch.arange(cells.shape[1])).sum(dim=1), return_inverse=True)
            order = torch.arange(len(cell))
            first = torch.full((int(cell.max()) + 1,), len(cell)).scatter_reduce_(0, cell, order, "amin")
            world, step = every[first.sort().values], step * COARSER
    return Points(world.to(device))

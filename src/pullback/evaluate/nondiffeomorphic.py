"""Non-diffeomorphic volume: how much of the grid, mapped as tetrahedra, is turned inside out.

Central differences skip the voxel in the middle and so miss a fold that alternates from voxel to voxel. Liu et al.
(International Journal of Computer Vision 132, 2024, arXiv 2212.06060) map the grid piece by piece instead. A cube of
eight voxels is cut into five tetrahedra in two ways: around each of its corners (one difference scheme of forward and
backward steps each) and around its middle. A piece of negative volume is folded. Written from the paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import chain, product

import torch

from pullback.space import Space
from pullback.typing import Float, Tensor

Step = tuple[int, ...]
MIDDLE: tuple[tuple[Step, ...], ...] = (
    ((-1, -1, 0), (-1, 0, -1), (0, -1, -1)),
    ((1, 1, 0), (0, 1, 1), (1, 0, 1)),
)
"""With the voxel itself they span the tetrahedron in the middle of a cube; both orders give a positive volume."""

SLAB = 60_000
"""Voxels that are worked on together."""


def negative_volume(displacement: Float[Tensor, "d *spatial"], space: Space) -> Float[Tensor, "*spatial"]:
    """At each voxel the folded volume that is counted there, in voxels: the mean over the grid is its share.

    3D: 1/2 sum of max(-J, 0) / 6 over the eight corner schemes and the two middle tetrahedra that the voxel spans;
    2D: 1/2 sum of max(-J, 0) / 2 over the four corner schemes. A map that mirrors everything gives 1 everywhere.
    The grid is continued in a straight line by one voxel beyond its border, where the paper leaves the border out.

    Args:
        displacement: mm along the world axes.
        space: the grid.

    Example:
        >>> space = Space.of_array((4, 4))
        >>> mirrored = -2 * space.grid().movedim(-1, 0) * torch.tensor([1.0, 0.0])[:, None, None]
        >>> float(negative_volume(mirrored, space).mean())
        1.0
    """
    return _by_slabs(_folded, displacement, space)


def smallest_volume(displacement: Float[Tensor, "d *spatial"], space: Space) -> Float[Tensor, "*spatial"]:
    """Of each voxel the smallest volume that the map gives to one of its corners, in voxels: 0 or less is a fold.

    The smallest J of the corner schemes. The determinant of what is read linearly between four vectors is linear along
    each axis, so that in 2D no place in the grid has a smaller one.

    Args:
        displacement: mm along the world axes.
        space: the grid.

    Example:
        >>> space = Space.of_array((5, 5))
        >>> squeezed = -0.9 * space.grid().movedim(-1, 0) * torch.tensor([1.0, 0.0])[:, None, None]
        >>> round(float(smallest_volume(squeezed, space).min()), 3)
        0.1
    """
    return _by_slabs(_smallest, displacement, space)


def _by_slabs(measure: Callable[[_Steps, int], Tensor], displacement: Tensor, space: Space) -> Tensor:
    """A measure of every voxel, of a few planes at a time: what it needs on the way then stays in the cache."""
    steps = _Steps.of(displacement, space)
    slabs = range(0, space.shape[0], max(1, SLAB // math.prod(space.shape[1:])))
    return torch.cat([measure(steps.slab(at, slabs.step), space.dimension) for at in slabs])


def _folded(steps: _Steps, d: int) -> Tensor:
    middles = (_determinant([steps(step) for step in neighbours]) for neighbours in (MIDDLE if d == 3 else ()))
    turned = ((-volume).clamp(min=0) for volume in chain(_corner_volumes(steps, d), middles))
    return reduce(torch.add, turned) / (2 * math.factorial(d))


def _smallest(steps: _Steps, d: int) -> Tensor:
    return reduce(torch.minimum, _corner_volumes(steps, d))


def _corner_volumes(steps: _Steps, d: int) -> Iterator[Tensor]:
    """J at every voxel by one difference scheme after another: a step forwards or backwards along each axis."""
    edges = [[steps(tuple(sign if a == axis else 0 for a in range(d))) for sign in (-1, 1)] for axis in range(d)]
    for sides in product((0, 1), repeat=d - 1):
        normal = _normal([edges[axis][side] for axis, side in enumerate(sides, start=1)])
        for side in (0, 1):
            backwards = d - side - sum(sides)  # the order of the edges decides the sign
            yield _dot(edges[0][side], normal) * (-1) ** backwards


@dataclass(frozen=True)
class _Steps:
    """phi(p + step) - phi(p) in voxels, at every voxel p, for steps to its neighbours.

    Attributes:
        inner: (d, *shape), the displacement in voxels.
        wide: the same with one more voxel at each end of each axis.
    """

    inner: Tensor
    wide: Tensor

    @classmethod
    def of(cls, displacement: Tensor, space: Space) -> _Steps:
        """Those of a displacement in mm."""
        field = torch.einsum("ij,j...->i...", space.inverse[:-1, :-1].to(displacement), displacement)
        return cls(field, _continued(field))

    def slab(self, first: int, count: int) -> _Steps:
        """The same for some planes of voxels alone."""
        return _Steps(self.inner[:, first : first + count], self.wide[:, first : first + count + 2])

    def __call__(self, step: Step) -> Tensor:
        window = tuple(slice(1 + s, 1 + s + n) for s, n in zip(step, self.inner.shape[1:], strict=True))
        straight = torch.tensor(step, dtype=self.inner.dtype, device=self.inner.device)
        return self.wide[(slice(None), *window)] - self.inner + straight.view(-1, *[1] * len(step))


def _continued(field: Tensor) -> Tensor:
    """One more voxel at each end of each axis, in a straight line; an axis of one voxel stays constant."""
    for axis in range(1, field.ndim):
        low, high = _beyond(field, axis)
        field = torch.cat([low, field, high], dim=axis)
    return field


def _beyond(field: Tensor, axis: int) -> Iterator[Tensor]:
    n = field.shape[axis]
    for end, before in ((0, min(1, n - 1)), (n - 1, max(n - 2, 0))):
        yield 2 * field.narrow(axis, end, 1) - field.narrow(axis, before, 1)


def _determinant(columns: list[Tensor]) -> Tensor:
    """The determinant of the matrix with these columns, (d, *shape) each."""
    return _dot(columns[0], _normal(columns[1:]))


def _normal(columns: list[Tensor]) -> Tensor:
    """What a further first column is multiplied with for the determinant: its cofactors."""
    if len(columns) == 1:
        return torch.stack([columns[0][1], -columns[0][0]])
    normal: Tensor = torch.linalg.cross(columns[0], columns[1], dim=0)
    return normal


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return sum((x * y for x, y in zip(a[1:], b[1:], strict=True)), a[0] * b[0])

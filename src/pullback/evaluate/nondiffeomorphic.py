"""Non-diffeomorphic volume: how much of the grid, mapped as tetrahedra, is turned inside out.

Central differences skip the voxel in the middle and so miss a fold that alternates from voxel to voxel. Liu et al.
(International Journal of Computer Vision 132, 2024, arXiv 2212.06060) map the grid piece by piece instead. A cube of
eight voxels is cut into five tetrahedra in two ways: around each of its corners (one difference scheme of forward and
backward steps each) and around its middle. A piece of negative volume is folded. Written from the paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import torch

from pullback.space import Space
from pullback.typing import Float, Tensor

Step = tuple[int, ...]
MIDDLE: tuple[tuple[Step, ...], ...] = (
    ((-1, -1, 0), (-1, 0, -1), (0, -1, -1)),
    ((1, 1, 0), (0, 1, 1), (1, 0, 1)),
)
"""With the voxel itself they span the tetrahedron in the middle of a cube; both orders give a positive volume."""


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
    d = space.dimension
    steps = _Steps(displacement, space)
    folded = torch.zeros(space.shape, dtype=displacement.dtype, device=displacement.device)
    piece = {2: 2, 3: 6}[d]
    for signs in product((-1, 1), repeat=d):
        edges = [steps(tuple(sign if a == axis else 0 for a in range(d))) for axis, sign in enumerate(signs)]
        turned = 1 if sum(sign < 0 for sign in signs) % 2 == 0 else -1  # the order of the edges decides the sign
        folded += (-turned * _determinant(edges)).clamp(min=0) / piece
    for neighbours in MIDDLE if d == 3 else ():
        folded += (-_determinant([steps(step) for step in neighbours])).clamp(min=0) / piece
    return folded / 2


class _Steps:
    """phi(p + step) - phi(p) in voxels, at every voxel p, for steps to its neighbours."""

    def __init__(self, displacement: Tensor, space: Space) -> None:
        mix = space.inverse[:-1, :-1].to(displacement)
        field = torch.einsum("ij,j...->i...", mix, displacement)
        self.inner = field
        self.wide = _continued(field)

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
    if len(columns) == 2:
        return columns[0][0] * columns[1][1] - columns[0][1] * columns[1][0]
    volume: Tensor = (columns[0] * torch.linalg.cross(columns[1], columns[2], dim=0)).sum(dim=0)
    return volume

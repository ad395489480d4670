"""The surface of a binary mask in the cells between its voxel centres, and how large it is in each.

Marching squares and cubes (Lorensen and Cline, SIGGRAPH 1987) at half level: the surface cuts the edges of a cell in
their middles. Its pieces are derived here rather than tabulated: on every face of a cube, each run of corners inside is
cut off by a line from edge to edge, and those lines join to closed polygons. Faces that two cells share are cut alike,
so the surface has no holes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import torch

from pullback.typing import Float, Int, Tensor

Corner = tuple[int, ...]
Vertex = tuple[float, ...]
"""A place in the unit cell."""


def cell_codes(mask: Tensor) -> Int[Tensor, "*cells"]:
    """Which corners of each cell are inside: bit k for the k-th corner, the last axis fastest; (*shape - 1)."""
    codes = torch.zeros([n - 1 for n in mask.shape], dtype=torch.int64, device=mask.device)
    for bit, corner in enumerate(_corners(mask.ndim)):
        view = mask[tuple(slice(c, n - 1 + c) for c, n in zip(corner, mask.shape, strict=True))]
        codes += view.to(torch.int64) << bit
    return codes


def surface_sizes(steps: Float[Tensor, "world axes"]) -> Float[Tensor, " codes"]:
    """Length (two axes) or area (three) of the surface in a cell, for every code.

    Args:
        steps: one voxel step along each axis, in mm.

    Example:
        >>> surface_sizes(torch.eye(2, dtype=torch.float64))[0b0011]  # a straight cut
        tensor(1., dtype=torch.float64)
    """
    axes = steps.shape[1]
    sizes = torch.zeros(2 ** (2**axes), dtype=torch.float64)
    for code, polygons in enumerate(_surfaces(axes)):
        for polygon in polygons:
            sizes[code] += _size(torch.tensor(polygon, dtype=torch.float64) @ steps.T.to(torch.float64))
    return sizes


def _size(corners: Tensor) -> float:
    """Length of a line, or area of a polygon as a fan about its middle."""
    if len(corners) == 2:
        return float((corners[1] - corners[0]).norm())
    spokes = corners - corners.mean(dim=0)
    return float(torch.linalg.cross(spokes, spokes.roll(-1, dims=0)).norm(dim=1).sum()) / 2


def _corners(axes: int) -> list[Corner]:
    return list(product((0, 1), repeat=axes))


@cache
def _surfaces(axes: int) -> tuple[list[list[Vertex]], ...]:
    """For every code, the lines or polygons of the surface in the unit cell."""
    everything = []
    for code in range(2 ** (2**axes)):
        inside = {corner for bit, corner in enumerate(_corners(axes)) if code >> bit & 1}
        lines = [line for face in _faces(axes) for line in _cut(face, inside)]
        everything.append([list(line) for line in lines] if axes == 2 else list(_join(lines)))
    return tuple(everything)


def _faces(axes: int) -> Iterator[list[Corner]]:
    """The corners of each square face, going round it."""
    ring = [(0, 0), (0, 1), (1, 1), (1, 0)]
    if axes == 2:
        yield list(ring)
        return
    for axis, side in product(range(3), (0, 1)):
        yield [(*pair[:axis], side, *pair[axis:]) for pair in ring]


def _cut(face: list[Corner], inside: set[Corner]) -> Iterator[tuple[Vertex, Vertex]]:
    """A line around each run of inside corners, from the edge before it to the edge after it."""
    for start in range(4):
        if face[start] in inside and face[start - 1] not in inside:
            stop = start
            while face[(stop + 1) % 4] in inside:
                stop += 1
            yield _middle(face[start - 1], face[start]), _middle(face[stop % 4], face[(stop + 1) % 4])


def _middle(a: Corner, b: Corner) -> Vertex:
    return tuple((p + q) / 2 for p, q in zip(a, b, strict=True))


def _join(lines: list[tuple[Vertex, Vertex]]) -> Iterator[list[Vertex]]:
    """Closed polygons from lines that meet in twos."""
    left = list(lines)
    while left:
        start, end = left.pop()
        polygon = [start]
        while end != start:
            polygon.append(end)
            follower = next(line for line in left if end in line)
            left.remove(follower)
            end = follower[1] if follower[0] == end else follower[0]
        yield polygon

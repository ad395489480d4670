"""described: compute once for a level what an energy compares, where that is not brightness itself."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import torch

from pullback import ops
from pullback.energy.energy import Energy
from pullback.energy.pair import Pair
from pullback.space import Space
from pullback.transforms import Transform, split
from pullback.typing import Field, Matrix

IN_STEP = 0.1
"""A step along an axis of the two grids may differ by this part of itself before the moving image is laid out anew."""
FARTHEST = 1.0
"""The moving image is described as far as this beyond the fixed one, in widths of the fixed image."""


@torch.no_grad()
def described(energy: Energy, pair: Pair, transform: Transform) -> tuple[Energy, Pair]:
    """The energy and pair of images with features in place of brightness, for similarities that compare features.

    Features look along the axes of their grid, by so many voxels. To be comparable they must be those of one grid, so
    the moving image is first laid on the fixed image's grid as an affine fit of the transform carries it, unless the
    two are in step already. Voxels of that grid without moving image lose their weight.

    Args:
        energy: what is minimised.
        pair: the images.
        transform: fixed world -> moving world, as known so far.

    Returns:
        What to minimise instead; just what was given where the similarity has no features.
    """
    measure = energy.similarity.on(pair.fixed_space)
    fixed = measure.features(pair.fixed)
    if fixed is None:
        return energy, pair
    pair = _in_step(pair, transform)
    moving = measure.features(pair.moving)
    assert moving is not None
    return replace(energy, similarity=measure.of_features()), replace(pair, fixed=fixed, moving=moving)


def _in_step(pair: Pair, transform: Transform) -> Pair:
    """The pair with its moving image on the fixed image's grid, carried there by the affine part of the transform."""
    carried = _carried(transform, pair.fixed_space) @ pair.fixed_space.matrix
    step = (pair.moving_space.inverse @ carried)[:-1, :-1]
    d = pair.fixed_space.dimension
    if float((step - torch.eye(d, dtype=torch.float64)).abs().max()) <= IN_STEP:
        return pair
    space = _cover(Space(pair.fixed_space.shape, carried), pair.moving_space)
    matrix = (pair.moving_space.inverse @ space.matrix)[:-1]
    weight = ops.inside(pair.moving_space.shape, matrix, shape=space.shape, device=pair.moving.device)
    weight = weight.to(pair.moving)
    if pair.moving_weight is not None:
        weight = weight * ops.sample(pair.moving_weight, matrix, shape=space.shape)
    whole = bool((weight == 1).all())
    moving = ops.sample(pair.moving, matrix, shape=space.shape)
    return replace(pair, moving=moving, moving_space=space, moving_weight=None if whole else weight)


def _cover(grid: Space, image: Space) -> Space:
    """The grid, continued or cut, so as to hold the image as far as it matters."""
    corners = torch.tensor(list(product(*[(0, n - 1) for n in image.shape])), dtype=torch.float64)
    corners = grid.to_voxels(image.to_world(corners))
    start, stop = [], []
    for n, low, high in zip(grid.shape, corners.amin(dim=0).tolist(), corners.amax(dim=0).tolist(), strict=True):
        margin = math.ceil(FARTHEST * n)
        start.append(min(max(math.floor(low), -margin), n - 1))
        stop.append(max(min(math.ceil(high) + 1, n + margin), start[-1] + 1))
    return grid.crop(start, stop)


def _carried(transform: Transform, space: Space) -> Matrix:
    """The affine map that is nearest to the transform on a grid, (D+1, D+1)."""
    few = space.resized([min(n, 12) for n in space.shape])
    affine, field = split(transform, few)
    return affine.matrix if field is None else affine.matrix @ _fit(field, few)


def _fit(field: Field, space: Space) -> Matrix:
    """X -> x + field(x) as a matrix, by least squares; the identity along axes of one voxel."""
    offset = (space.grid() - space.centre).reshape(-1, space.dimension)
    motion = field.to("cpu", torch.float64).flatten(1).T
    slope = torch.linalg.pinv(offset) @ motion  # of least norm: nothing where there is only one voxel
    matrix = torch.eye(space.dimension + 1, dtype=torch.float64)
    matrix[:-1, :-1] += slope.T
    matrix[:-1, -1] = motion.mean(dim=0) - slope.T @ space.centre
    return matrix

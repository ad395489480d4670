"""scatter: compare a pair at random places instead of at every voxel of a grid."""

from __future__ import annotations

from dataclasses import replace

import torch

from pullback import ops
from pullback.energy import Pair
from pullback.optimise.schedule import level_shape
from pullback.space import Space
from pullback.transforms import Displacement
from pullback.typing import Batch

THICK = 1.5
"""An axis whose voxels are longer than the finest by this factor keeps its slices: between them nothing is known."""
SEED = 1


def shrink_to(space: Space, most_voxels: int) -> float:
    """The shrink factor that leaves about as many voxels, 1 where there are fewer; slices that are thick stay whole."""
    thin = sum(n > 1 and mm < THICK * space.finest for n, mm in zip(space.shape, space.spacing, strict=True))
    return max(1.0, float((space.count / most_voxels) ** (1 / max(thin, 1))))


def scattered(pair: Pair, samples: int, seed: int = SEED) -> Pair:
    """The same pair, seen at about `samples` places at most: one at random in each cell of an even lattice.

    A dozen numbers need no millions of voxels. And at random places no shift of the grids is special: on a grid, whole
    shifts read the moving image without blur, others with, which mutual information takes for better alignment (Likar &
    Pernus, Image and Vision Computing 19(1), 2001). The places are the same every time, for one seed.

    Args:
        pair: on a grid.
        samples: the most places; where there are fewer voxels, there is one place in each.
        seed: of the places.
    """
    space, away = pair.fixed_space, places(pair.fixed_space, samples, str(pair.fixed.device), seed)
    lattice = away.space
    matrix = (space.inverse @ lattice.matrix)[:-1]

    def read(image: Batch) -> Batch:
        return ops.sample(image, matrix, away.field[None], space.inverse[:-1, :-1])

    weight = None if pair.fixed_weight is None else read(pair.fixed_weight)
    return replace(pair, fixed=read(pair.fixed), fixed_weight=weight, fixed_space=lattice, scatter=away)


def places(space: Space, samples: int, device: str, seed: int = SEED) -> Displacement:
    """How far the places of `scattered` lie from the centres of the cells of a lattice over a grid."""
    fine = [n > 1 and s < THICK * space.finest for n, s in zip(space.shape, space.spacing, strict=True)]
    stride = max(1.0, (space.count / samples) ** (1 / max(sum(fine), 1)))
    lattice = space.resized(level_shape(space, stride * space.finest)) if stride > 1 else space
    generator = torch.Generator().manual_seed(seed)
    cells = torch.zeros(space.dimension, *lattice.shape)
    cells[fine] = torch.rand(sum(fine), *lattice.shape, generator=generator) - 0.5
    return Displacement(torch.einsum("ij,j...->i...", lattice.linear.to(cells), cells).to(device), lattice)

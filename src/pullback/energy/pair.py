"""Pair: two images as one level of a registration sees them, and how far they overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch

from pullback import ops
from pullback.energy.landmarks import Landmarks
from pullback.energy.surfaces import Surfaces
from pullback.space import Space
from pullback.transforms import Displacement, Transform
from pullback.transforms.apply import Reading, reading, reading_coarse
from pullback.typing import Batch, Shape

Key: TypeAlias = tuple[str | None, str | None]
"""(images, mask): the names under which a term knows what it compares; None for the two images themselves, unmasked."""


ENOUGH = 1 << 21
"""So many voxels tell what share of an image lies in another one."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images as one level of a registration sees them.

    Attributes:
        fixed: (1, c, *fixed_space.shape), scaled to about [0, 1].
        moving: (1, c, *moving_space.shape), likewise.
        fixed_space: the grid on which they are compared.
        moving_space: the moving image's own grid.
        fixed_weight: (1, 1, *fixed_space.shape), how much each fixed voxel counts.
        moving_weight: (1, 1, *moving_space.shape), how much each moving voxel counts.
        covered: whether the moving image covers the fixed one all but for a few voxels, and will go on to: then those
            few see its edge repeated, which saves finding out which they are.
        scatter: how far from the voxel centres of `fixed_space` the pair is compared; at the centres if None. `fixed`
            and `fixed_weight` hold the values there.
        also: further pairs that terms of an energy compare, by the names of their images and mask.
        landmarks: points that belong together, for terms that compare those.
        surfaces: points on surfaces of either image, likewise.
    """

    fixed: Batch
    moving: Batch
    fixed_space: Space
    moving_space: Space
    fixed_weight: Batch | None = None
    moving_weight: Batch | None = None
    covered: bool = False
    scatter: Displacement | None = None
    also: Mapping[Key, Pair] = field(default_factory=dict)
    landmarks: Landmarks | None = None
    surfaces: Surfaces | None = None


def overlap(pair: Pair, transform: Transform) -> float:
    """The share of the fixed image's (weighted) voxels that are pulled from inside the moving image."""
    if pair.fixed_weight is None and pair.moving_weight is None and pair.scatter is None:
        return 1.0 if pair.covered else _share_inside(pair, transform)
    weight = counted_weight(pair, where_read(pair, transform))
    if weight is None:
        return 1.0
    return float(weight.sum()) / max(_counted(pair.fixed_weight, pair.fixed_space), 1e-6)


def _share_inside(pair: Pair, transform: Transform) -> float:
    """The share of voxels that are pulled from inside; of millions, that of an even part of them."""
    space = pair.fixed_space
    while space.count > ENOUGH:
        space = space.resized([(n + 1) // 2 for n in space.shape])
    where = reading(transform, pair.moving_space, space)
    return float(ops.inside(pair.moving_space.shape, *where, shape=space.shape, device=pair.fixed.device).mean())


def shared(pair: Pair, transform: Transform) -> float:
    """How much of the smaller of the two images (of what counts in them) lies in the other, about 0 to 1."""
    fixed = _counted(pair.fixed_weight, pair.fixed_space) * _voxel_volume(pair.fixed_space)
    moving = _counted(pair.moving_weight, pair.moving_space) * _voxel_volume(pair.moving_space)
    return overlap(pair, transform) * fixed / max(min(fixed, moving), 1e-6)


def where_read(pair: Pair, transform: Transform) -> Reading:
    """Where the moving image is read for each voxel of the fixed one."""
    moved = transform if pair.scatter is None else transform @ pair.scatter
    return reading(moved, pair.moving_space, pair.fixed_space)


def where_coarsely(pair: Pair, transform: Transform) -> Reading:
    """The same, with a displacement on a coarser grid left there: for what is not differentiated in it."""
    coarse = None if pair.scatter is not None else reading_coarse(transform, pair.moving_space, pair.fixed_space)
    return where_read(pair, transform) if coarse is None else coarse


def pulled(image: Batch, where: Reading, shape: Shape) -> Batch:
    """An image pulled back from where it is read; not differentiable where the displacement is coarser than `shape`."""
    matrix, displacement, mix = where
    if displacement is None or tuple(displacement.shape[2:]) == tuple(shape):
        return ops.sample(image, *where, shape=shape)
    return ops.sample_coarse(image, matrix, displacement, mix, shape)


def _counted(weight: Batch | None, space: Space) -> float:
    """The number of voxels of an image, each as much as it counts."""
    return float(space.count if weight is None else weight.sum())


def _voxel_volume(space: Space) -> float:
    return float(torch.linalg.det(space.linear).abs())


def counted_weight(pair: Pair, where: Reading) -> Batch | None:
    """How much each fixed voxel counts: its own mask, the moving mask pulled back, and nothing from outside the image.

    None stands for ones everywhere. Not differentiated: a registration must not win by looking away.
    """
    shape = pair.fixed_space.shape
    if pair.covered and pair.moving_weight is None:
        return pair.fixed_weight
    with torch.no_grad():
        weight = ops.inside(pair.moving_space.shape, *where, shape=shape, device=pair.fixed.device).to(pair.fixed)
        if pair.moving_weight is not None:
            weight = weight * pulled(pair.moving_weight, where, shape)
        elif pair.fixed_weight is None and weight.device.type != "cuda" and float(weight.min()) == 1:
            return None  # on a GPU it takes longer to know than to count
        return weight if pair.fixed_weight is None else weight * pair.fixed_weight

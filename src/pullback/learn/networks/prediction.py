"""Prediction: what a network says about a batch of pairs, in voxels of their grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch.nn import functional

from pullback import ops
from pullback.typing import Batch, Matrix, Shape, Tensor

FEW = 2048
"""Voxels of pictures so small that calling the compiled kernel takes longer than it saves."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Displacements from fixed voxels to moving voxels.

    Attributes:
        displacement: (b, D, *shape) voxels: warped(v) = moving(v + displacement(v)).
        vectors: (b, D, *coarse), what a regulariser should see: the velocity where the network predicts one, else the
            displacement, as the network gave it, in voxels of its own (perhaps coarser) grid.
        inverse: (b, D, *shape) voxels, from moving to fixed, where the network gives both ways; else None.
    """

    displacement: Batch
    vectors: Batch
    inverse: Batch | None = None


def warp(image: Batch, displacement: Batch) -> Batch:
    """An image pulled back through a displacement in voxels of its own grid; beyond the image its edge is repeated.

    Args:
        image: (b, c, *shape).
        displacement: (b, D, *shape) voxels.

    Returns:
        (b, c, *shape), differentiable in both; by the compiled kernel where that can run.

    Example:
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> warp(ramp, torch.ones(1, 2, 5, 5))[0, 0, 0].tolist()
        [1.0, 2.0, 3.0, 4.0, 4.0]
    """
    if displacement[0, 0].numel() <= FEW and not torch.compiler.is_exporting():
        grid, steps = _places(tuple(image.shape[2:]), displacement.dtype, displacement.device)
        places = torch.addcmul(grid, displacement.movedim(1, -1).flip(-1), steps).nan_to_num(-1)  # grid_sample crashes
        return functional.grid_sample(image, places, padding_mode="border", align_corners=False)
    return ops.sample(image, unmoved(image.ndim - 2), displacement)


@lru_cache(maxsize=8)
def _places(shape: Shape, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each voxel lies, and how long a voxel is, from -1 to 1, the last axis first: as grid_sample takes them."""
    axes = [(2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)
    steps = torch.tensor([2 / n for n in reversed(shape)], dtype=torch.float64)
    return grid[None].to(device, dtype), steps.to(device, dtype)


def unmoved(dimension: int) -> Matrix:
    """(D, D+1), each voxel to itself."""
    return _eye.__wrapped__(dimension) if torch.compiler.is_exporting() else _eye(dimension)  # no symbols are kept


@lru_cache(maxsize=4)
def _eye(dimension: int) -> Matrix:
    return torch.eye(dimension, dimension + 1, dtype=torch.float64)

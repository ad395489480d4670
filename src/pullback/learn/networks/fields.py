"""Fields of displacements between the resolutions of a network, in voxels of their own grids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch.nn import functional

from pullback import ops
from pullback.typing import Batch, Matrix, Shape, Tensor

FEW = 2048
"""Voxels of pictures so small that calling the compiled kernel takes longer than it saves."""


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
    small = displacement[0, 0].numel() <= FEW and not torch.compiler.is_exporting()
    if image.device.type == "cpu" and not small:
        return ops.sample(image, unmoved(image.ndim - 2), displacement)
    return _warp_by_torch(image, displacement)


def flow(velocity: Batch, squarings: int) -> Batch:
    """The displacement at which a velocity, in voxels, arrives after unit time; itself for no squarings."""
    if velocity.device.type == "cpu":
        return ops.exponential(velocity, unmoved(velocity.ndim - 2)[:, :-1], squarings) if squarings else velocity
    moved = velocity * 0.5**squarings
    for _ in range(squarings):
        moved = after(moved, moved)
    return moved


def after(outer: Batch, inner: Batch) -> Batch:
    """The displacement of `outer` after `inner`: inner(v) + outer(v + inner(v))."""
    return inner + warp(outer, inner)


def padded(images: Batch, stride: int) -> Batch:
    """Zeros behind the last voxel of each axis, up to a multiple of the stride."""
    short = [-n % stride for n in images.shape[2:]]
    sides = [side for amount in reversed(short) for side in (0, amount)]
    return functional.pad(images, sides) if torch.compiler.is_exporting() or any(short) else images


def doubled(field: Batch) -> Batch:
    """A field on a grid of twice the resolution, in voxels of that."""
    mode = "bilinear" if field.ndim == 4 else "trilinear"
    return 2 * functional.interpolate(field, scale_factor=2.0, mode=mode, align_corners=False)


def whole(field: Batch, shape: Shape) -> Batch:
    """A field in voxels of its own grid as one in voxels of the image's: interpolated twofold if need be, and cut."""
    if any(n < wanted for n, wanted in zip(field.shape[2:], shape, strict=True)):
        field = doubled(field)
    for axis, n in enumerate(shape, start=2):
        field = field.narrow(axis, 0, n)
    return field


def unmoved(dimension: int) -> Matrix:
    """(D, D+1), each voxel to itself."""
    return _eye.__wrapped__(dimension) if torch.compiler.is_exporting() else _eye(dimension)  # no symbols are kept


@lru_cache(maxsize=4)
def _eye(dimension: int) -> Matrix:
    return torch.eye(dimension, dimension + 1, dtype=torch.float64)


def _warp_by_torch(image: Batch, displacement: Batch) -> Batch:
    """The same by torch's own kernel, with nothing fetched from a device or sent to it on the way."""
    shape, dtype = tuple(image.shape[2:]), displacement.dtype
    at = torch.addcmul(_still(shape, image.device, dtype), displacement, _units(shape, image.device, dtype))
    at = at.movedim(1, -1).flip(-1).nan_to_num(-1)  # grid_sample crashes
    return functional.grid_sample(image.to(dtype), at, mode="bilinear", padding_mode="border", align_corners=False)


@lru_cache(maxsize=64)
def _still(shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
    """(1, D, *shape): each voxel's own place, where -1 and 1 are the outer borders of the image."""
    axes = [(2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None].to(device, dtype)


@lru_cache(maxsize=64)
def _units(shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> Tensor:
    """(1, D, 1, ...): what a voxel is where the whole image is 2."""
    return torch.tensor([2 / n for n in shape], dtype=torch.float64).view(1, -1, *[1] * len(shape)).to(device, dtype)

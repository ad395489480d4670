"""Bring intensities and grids to what a network knows: values in [0, 1], voxels of one size, one shape."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.typing import Float, Tensor

PERCENTILES = (0.1, 99.8)
"""They become 0 and 1, as in the recipes of `pullback.registration.Prepare`."""


def scaled(data: Float[Tensor, "c *spatial"], name: str = "an image") -> Float[Tensor, "c *spatial"]:
    """Each channel with two percentiles at 0 and 1, and what lies beyond cut off.

    Raises:
        InputError: a value is not finite, or a channel is constant.
    """
    if not bool(torch.isfinite(data).all()):
        raise InputError(f"{name} holds NaN or infinite values; repair it or leave it out")
    return torch.stack([_scaled(channel.to(torch.float32), name) for channel in data])


def _scaled(channel: Tensor, name: str) -> Tensor:
    values = channel.detach().cpu().numpy().ravel()
    ranks = [round((values.size - 1) * p / 100) for p in PERCENTILES]
    low, high = (float(v) for v in np.partition(values, ranks)[ranks])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        raise InputError(f"{name} is constant (every voxel is {low:g}): there is nothing to learn from it")
    return ((channel - low) / (high - low)).clamp(0, 1)


def grid(space: Space, spacing_mm: Sequence[float] | None = None, shape: Sequence[int] | None = None) -> Space:
    """A grid about the middle of an image, along its axes.

    Args:
        space: of the image.
        spacing_mm: voxel size along each axis; the image's own by default.
        shape: cut or padded to it, the middle kept; the image's own field of view by default.

    Example:
        >>> grid(Space.of_array((100, 80), 1.0), (2.0, 2.0), (32, 64))
        Space(32 x 64 voxels of 2 x 2 mm)
    """
    if spacing_mm is not None:
        counts = [max(1, round(e / s)) for e, s in zip(space.extent, spacing_mm, strict=True)]
        space = _exactly(space, counts, spacing_mm)
    if shape is not None:
        start = [(n - wanted) // 2 for n, wanted in zip(space.shape, shape, strict=True)]
        space = space.crop(start, [a + n for a, n in zip(start, shape, strict=True)])
    return space


def canonical(space: Space) -> Space:
    """The same voxels with the axes in the order and direction of a bare array's, as near as they lie to them.

    That is towards the head (in 3D), the back and the left, see `Space.of_array`. A network is not told how axes lie in
    the patient, so that scans are always shown to it like this: then how a file stores them changes nothing.

    Example:
        >>> stored = Space.of_array((3, 5), (2.0, 1.0)).permute([1, 0]).flip(0)
        >>> canonical(stored).same_as(Space.of_array((3, 5), (2.0, 1.0)))
        True
    """
    wanted = Space.of_array((1,) * space.dimension).linear
    along = wanted.T @ (space.linear / space.linear.norm(dim=0))  # (wanted axis, axis), cosines
    orders = itertools.permutations(range(space.dimension))
    order = max(orders, key=lambda axes: sum(float(along[k, axis].abs()) for k, axis in enumerate(axes)))
    space = space.permute(order)
    for k, axis in enumerate(order):
        if along[k, axis] < 0:
            space = space.flip(k)
    return space


def _exactly(space: Space, counts: Sequence[int], spacing_mm: Sequence[float]) -> Space:
    """Voxels of exactly this size about the same middle."""
    factor = torch.tensor([s / own for s, own in zip(spacing_mm, space.spacing, strict=True)], dtype=torch.float64)
    change = torch.eye(space.dimension + 1, dtype=torch.float64)
    change[:-1, :-1] = torch.diag(factor)
    middles = [torch.tensor([(n - 1) / 2 for n in shape], dtype=torch.float64) for shape in (space.shape, counts)]
    change[:-1, -1] = middles[0] - factor * middles[1]
    return Space(tuple(counts), space.matrix @ change)

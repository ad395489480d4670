"""Synthetic cines to learn from: beating hearts whose motion is known at every point."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pullback.errors import InputError
from pullback.learn.data.dataset import Dataset
from pullback.learn.data.pairs import Chosen, Pairs, mixed
from pullback.learn.data.scaling import scaled
from pullback.phantom import beating_heart, heart_space
from pullback.space import Space

SHAPES = {2: (96, 96), 3: (8, 64, 64)}
SPACINGS = {2: (1.8, 1.8), 3: (10.0, 2.8, 2.8)}


def cine(
    dimension: int = 2,
    subjects: tuple[int, int, int] = (60, 12, 12),
    shape: Sequence[int] | None = None,
    spacing_mm: Sequence[float] | None = None,
    seed: int = 0,
) -> Dataset:
    """Hearts at end of diastole, end of systole and one phase between, paired both ways, with labels and the truth.

    Args:
        dimension: 2 or 3.
        subjects: how many hearts for training, validation and test; no heart is in two of them.
        shape: of the grid; 96 x 96, in 3D 8 x 64 x 64.
        spacing_mm: of the grid; 1.8 mm, in 3D 10 x 2.8 x 2.8 mm.
        seed: of all hearts.

    Raises:
        InputError: no subjects, or a grid of another dimension.
    """
    if min(subjects) < 1 or dimension not in SHAPES:
        raise InputError(f"cines need at least one heart for each part, and 2 or 3 dimensions; got {subjects} and "
                         f"{dimension}")  # fmt: skip
    space = heart_space(dimension, shape or SHAPES[dimension], spacing_mm or SPACINGS[dimension])
    starts = [sum(subjects[:k]) for k in range(3)]
    parts = [_hearts(space, range(start, start + n), seed) for start, n in zip(starts, subjects, strict=True)]
    licence = "Apache-2.0 (made by pullback.phantom)"
    return Dataset(f"phantom cine {dimension}D, seed {seed}", parts[0], parts[1], parts[2], licence)


def _hearts(space: Space, numbers: range, seed: int) -> Pairs:
    images: list[torch.Tensor] = []
    labels: list[torch.Tensor] = []
    truth: list[torch.Tensor] = []
    index: list[Chosen] = []
    for number in numbers:
        one = mixed(seed, number)
        phases = (0.0, 0.36, 0.1 + 0.8 * (one % 997) / 997)
        noise, bias = 0.01 + 0.05 * (one % 101) / 101, 0.4 * (one % 103) / 103
        made = beating_heart(phases, space.dimension, space=space, seed=one % (1 << 31), noise=noise, bias=bias)
        first = len(images)
        images += [scaled(frame.data) for frame in made.frames]
        labels += [frame.data for frame in made.labels]
        for k in (1, 2):
            index += [(first, first + k), (first + k, first)]
            there = made.transforms[k]
            truth += [to_voxels(there.displace(space), space), to_voxels(there.inverse().displace(space), space)]
    return Pairs(torch.stack(images), space.spacing, torch.stack(labels), tuple(index), torch.stack(truth))


def to_voxels(field_mm: torch.Tensor, space: Space) -> torch.Tensor:
    """A displacement (D, *shape) in mm along the world axes in voxels of its grid."""
    return torch.einsum("ij,j...->i...", space.inverse[:-1, :-1].to(torch.float32), field_mm.to(torch.float32))

"""Pairs: scans on one grid, and which of them a network is shown together.

Which pair number k of a training is, and how it is augmented, follows from the seed and k alone: no state is carried,
so a training that is resumed, or shared by several processes, sees the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from pullback.errors import InputError
from pullback.learn.data.prepared import Scans
from pullback.space import Space
from pullback.typing import Batch, Float, Int, Shape, Tensor

FIXED, MOVING = 0, 1
Chosen = tuple[int, int]
"""Numbers of the fixed and of the moving scan."""


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Some pairs, as a network takes them.

    Attributes:
        fixed: (b, c, *shape), scaled to [0, 1].
        moving: likewise, on the same grid.
        fixed_labels: (b, *shape) whole numbers, where there are any.
        moving_labels: likewise.
        truth: (b, D, *shape) voxels, the displacement that is known to be right, where it is.
    """

    fixed: Batch
    moving: Batch
    fixed_labels: Int[Tensor, "_b *_shape"] | None = None
    moving_labels: Int[Tensor, "_b *_shape"] | None = None
    truth: Batch | None = None

    def to(self, device: torch.device | str) -> PairBatch:
        """The same on a device."""
        parts = (self.fixed, self.moving, self.fixed_labels, self.moving_labels, self.truth)
        return PairBatch(*(part if part is None else part.to(device) for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Scans on one grid, and which of them make pairs.

    Attributes:
        images: (n, c, *shape), scaled to [0, 1]; a tensor, or scans each by itself (`Scans`).
        spacing_mm: between voxels, along each axis.
        labels: (n, *shape) whole numbers, 0 is background; None without.
        index: for each pair the numbers of its fixed and its moving scan; None where any two may be paired.
        truth: (pairs, D, *shape) voxels, for each pair of the index the right displacement; None where unknown.
        groups: for each scan what it shows (a class, a diagnosis), for results by group; () without.

    Raises:
        InputError: they do not fit together, or there is nothing to pair.
    """

    images: Batch | Scans
    spacing_mm: tuple[float, ...]
    labels: Int[Tensor, "_n *_shape"] | Scans | None = None
    index: tuple[Chosen, ...] | None = None
    truth: Float[Tensor, "_k _d *_shape"] | None = None
    groups: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        n = len(self.images)
        if n < 2 or (self.index is not None and not self.index):
            raise InputError(f"a network learns from pairs, and there are none among {n} scan(s); give more scans")
        if len(self.spacing_mm) != self.dimension:
            raise InputError(f"the spacing has {len(self.spacing_mm)} numbers for {self.dimension} axes")
        if self.labels is not None and tuple(self.labels.shape) != (n, *self.shape):
            raise InputError(f"labels of shape {tuple(self.labels.shape)} do not fit {n} scans of {self.shape}")
        if any(not 0 <= k < n for pair in self.index or () for k in pair):
            raise InputError(f"a pair names a scan that is not among the {n}")
        if self.truth is not None and (self.index is None or len(self.truth) != len(self.index)):
            raise InputError("a known displacement belongs to each pair of an index")

    @property
    def shape(self) -> Shape:
        """Of the grid."""
        return tuple(self.images.shape[2:])

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.images.ndim - 2

    @property
    def channels(self) -> int:
        """Of each scan."""
        return int(self.images.shape[1])

    @cached_property
    def space(self) -> Space:
        """The grid, placed as a bare array."""
        return Space.of_array(self.shape, self.spacing_mm)

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self.images) ** 2 if self.index is None else len(self.index)

    def drawn(self, seed: int, numbers: Sequence[int]) -> list[int]:
        """For each number of a draw the pair that it gives: all alike likely, and always the same."""
        return [mixed(seed, number) % len(self) for number in numbers]

    def some(self, count: int, seed: int = 0) -> list[int]:
        """At most `count` pairs for a validation: the listed ones in order, or random ones of two different scans."""
        if self.index is not None:
            return list(range(len(self)))[:count]
        n, found, k = len(self.images), dict[int, None](), 0
        while len(found) < min(count, n * (n - 1)):
            pair = mixed(seed, k) % len(self)
            if pair // n != pair % n:
                found[pair] = None
            k += 1
        return list(found)

    def chosen(self, pair: int) -> Chosen:
        """The numbers of the two scans of a pair."""
        n = len(self.images)
        return (pair // n, pair % n) if self.index is None else self.index[pair]

    def batch(self, pairs: Sequence[int]) -> PairBatch:
        """The pairs of these numbers."""
        fixed, moving = zip(*(self.chosen(pair) for pair in pairs), strict=True)
        images, labels = self.images, self.labels
        truth = None if self.truth is None else _taken(self.truth, pairs)
        if labels is None:
            return PairBatch(_taken(images, fixed), _taken(images, moving), truth=truth)
        own = _taken(images, fixed), _taken(images, moving), _taken(labels, fixed), _taken(labels, moving)
        return PairBatch(*own, truth)


def _taken(everything: Tensor | Scans, numbers: Sequence[int]) -> Tensor:
    """Those of these numbers; one alone as a view, which is sooner there."""
    if len(numbers) == 1 and isinstance(everything, Tensor):
        return everything[numbers[0] : numbers[0] + 1]
    return everything[torch.tensor(numbers)]


def mixed(*numbers: int) -> int:
    """A whole number of 63 bits that any change of any of the numbers changes wholly.

    Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    state = 0
    for number in numbers:
        state = (state ^ (number & MASK)) + 0x9E3779B97F4A7C15 & MASK
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & MASK
        state ^= state >> 31
    return state >> 1


MASK = (1 << 64) - 1

"""Drawn hearts as a data set: any contrast, size and place, the displacement known at every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pullback.errors import InputError
from pullback.learn.data.dataset import Dataset
from pullback.learn.data.heart_drawing import HeartDrawing
from pullback.learn.data.pairs import PairBatch, Pairs, mixed
from pullback.typing import Tensor

AT_ONCE = 32
SHAPE, SPACING = (128, 128), (1.5, 1.5)


def hearts(
    counts: tuple[int, int, int] = (500, 40, 40),
    shape: Sequence[int] | None = None,
    spacing_mm: Sequence[float] | None = None,
    seed: int = 0,
) -> Dataset:
    """Pairs as `HeartDrawing` draws them, with labels and the truth.

    Args:
        counts: how many pairs for training, validation and test; no heart is in two of them.
        shape: of the grid; 128 x 128.
        spacing_mm: of the grid; 1.5 mm.
        seed: of all pairs.

    Raises:
        InputError: no pairs, or a grid that is not 2D.

    Example:
        >>> len(hearts((4, 1, 1), shape=(32, 32), spacing_mm=(5.0, 5.0)).train)
        4
    """
    size, step = tuple(shape or SHAPE), tuple(spacing_mm or SPACING)
    if min(counts) < 1 or len(size) != 2 or len(step) != 2:
        raise InputError(f"drawn hearts are 2D and need a pair for each part at least; got {counts}, a grid of {size} "
                         f"and {step} mm")  # fmt: skip
    drawing = HeartDrawing((size[0], size[1]), (step[0], step[1]))
    train, validation, test = (paired(drawing, n, mixed(seed, part)) for part, n in enumerate(counts))
    licence = "Apache-2.0 (made by pullback)"
    return Dataset(f"phantom hearts, seed {seed}", train, validation, test, licence)


def paired(drawing: HeartDrawing, count: int, seed: int, device: torch.device | str = "cpu") -> Pairs:
    """So many pairs in memory."""
    batches = [
        drawing.draw(min(AT_ONCE, count - start), mixed(seed, start), device).to("cpu")
        for start in range(0, count, AT_ONCE)
    ]
    return as_pairs(batches, drawing.spacing_mm)


def as_pairs(batches: Sequence[PairBatch], spacing_mm: tuple[float, ...]) -> Pairs:
    """Batches of pairs with labels and truth, as one list of scans and an index."""
    n = sum(len(batch.fixed) for batch in batches)
    images = torch.cat([batch.fixed for batch in batches] + [batch.moving for batch in batches])
    labels = torch.cat([_there(b.fixed_labels) for b in batches] + [_there(b.moving_labels) for b in batches])
    truth = torch.cat([_there(batch.truth) for batch in batches])
    return Pairs(images, spacing_mm, labels, tuple((k, n + k) for k in range(n)), truth)


def _there(part: Tensor | None) -> Tensor:
    assert part is not None  # whatever is drawn has labels and the truth
    return part

"""Small pictures that are drawn instead of read, in the form of MNIST and MedMNIST: every two of them a pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pullback.errors import InputError
from pullback.learn.data.dataset import Dataset
from pullback.learn.data.digits import paired
from pullback.phantom import chest_films, handwritten_fives

COUNTS = (700, 200, 100)


def fives(counts: tuple[int, int, int] = COUNTS, seed: int = 0) -> Dataset:
    """Fives as if written by hand, 28 x 28 padded to 32 x 32 as those of `mnist(5)`.

    Args:
        counts: how many for training, validation and test.
        seed: of all of them.

    Raises:
        InputError: fewer than two in a part.

    Example:
        >>> fives((6, 3, 2)).test.images.shape
        torch.Size([2, 1, 32, 32])
    """
    return _divided("phantom fives", handwritten_fives, counts, seed)


def chests(counts: tuple[int, int, int] = COUNTS, seed: int = 0) -> Dataset:
    """Chests as on small X-ray films, each of another exposure, 28 x 28 padded to 32 x 32 as those of `medmnist`.

    Args:
        counts: how many for training, validation and test.
        seed: of all of them.

    Raises:
        InputError: fewer than two in a part.

    Example:
        >>> len(chests((6, 3, 2)).train)
        36
    """
    return _divided("phantom chest", chest_films, counts, seed)


def _divided(name: str, drawn: Callable[..., Any], counts: tuple[int, int, int], seed: int) -> Dataset:
    if min(counts) < 2:
        raise InputError(f"training, validation and test need two pictures each at least; got {counts}")
    pictures = (255 * drawn(sum(counts), seed)).round().numpy().astype(np.uint8)
    train, validation, test = (paired(part, []) for part in np.split(pictures, np.cumsum(counts)[:-1]))
    return Dataset(f"{name}, seed {seed}", train, validation, test, "Apache-2.0 (made by pullback.phantom)")

"""ends: what lies beyond the last slice of a thick stack is not known, and half of that slice hangs on it."""

from __future__ import annotations

from dataclasses import replace

import torch

from pullback.energy import Pair
from pullback.registration.scatter import THICK
from pullback.space import Space
from pullback.typing import Batch

FEWEST_SLICES = 5
"""A stack of fewer keeps its end slices: there would be too little left."""


def without_ends(pair: Pair) -> Pair:
    """The pair without the end slices of thick stacks, which stay of use only between them and their neighbours.

    What is read beyond the middle of the last slice is that slice again, although the anatomy goes on. For a motion by
    a part of a slice that is wrong at one end of the stack and not at the other, and draws the answer by some mm.
    """
    fixed = _inner(pair.fixed, pair.fixed_weight, pair.fixed_space)
    moving = _inner(pair.moving, pair.moving_weight, pair.moving_space)
    return replace(pair, fixed_weight=fixed, moving_weight=moving)


def _inner(image: Batch, weight: Batch | None, space: Space) -> Batch | None:
    """The weight of an image with nothing in its end slices."""
    thick = [
        axis
        for axis, (n, mm) in enumerate(zip(space.shape, space.spacing, strict=True), start=2)
        if n >= FEWEST_SLICES and mm >= THICK * space.finest
    ]
    if not thick:
        return weight
    inner = torch.ones_like(image[:, :1]) if weight is None else weight.clone()
    for axis in thick:
        inner.narrow(axis, 0, 1).zero_()
        inner.narrow(axis, image.shape[axis] - 1, 1).zero_()
    return inner

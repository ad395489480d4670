"""trimmed: a linear map by least trimmed squares: of matches of which many may be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms import Affine
from pullback.transforms.landmarks.linear import fit_affine, fit_similarity, fit_translation
from pullback.typing import Float, PointsTensor, Tensor

Freedom = Literal["translation", "rigid", "similarity", "affine"]
FITS: dict[Freedom, Callable[[Tensor, Tensor, Tensor], Affine]] = {
    "translation": fit_translation,
    "rigid": partial(fit_similarity, scaled=False),
    "similarity": fit_similarity,
    "affine": fit_affine,
}
ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Fit:
    """What least trimmed squares found.

    Attributes:
        transform: the map.
        left_mm: how far it leaves each match apart.
        kept: how many of them it stands on.
    """

    transform: Affine
    left_mm: Float[Tensor, " n"]
    kept: int


def trimmed(here: PointsTensor, there: PointsTensor, freedom: Freedom, share: float, space: Space) -> Fit | None:
    """The map that leaves the least sum of squares over the best share of the matches.

    From all of them, then from those that the last map left nearest, until they are the same: no step can make the
    trimmed sum larger. Rousseeuw & Van Driessen, Data Mining and Knowledge Discovery 12, 2006 (concentration steps).

    Args:
        here: (n, D), mm.
        there: their partners.
        freedom: of the map.
        share: of the matches that count.
        space: a grid; along its axes of one voxel nothing is moved.

    Returns:
        The map and what it leaves; None where there are too few matches to determine it.
    """
    wide = [a for a, n in enumerate(space.shape) if n > 1]
    axes = torch.linalg.qr(space.linear[:, wide]).Q
    x, y = ((points - space.centre) @ axes for points in (here, there))
    count = max(round(share * len(x)), len(wide) + 1)
    chosen = torch.arange(len(x))
    try:
        for _ in range(ROUNDS):
            found = FITS[freedom](x[chosen], y[chosen], torch.ones(len(chosen), dtype=torch.float64))
            left = (found(x) - y).norm(dim=1)
            nearest = left.argsort()[:count].sort().values
            if torch.equal(nearest, chosen):
                break
            chosen = nearest
    except InputError:
        return None
    return Fit(_lifted(found, axes, space.centre), left, len(chosen))


def _lifted(flat: Affine, axes: Float[Tensor, "d wide"], centre: Float[Tensor, " d"]) -> Affine:
    """A map along some axes as one of the whole world."""
    turn = axes @ (flat.linear - torch.eye(flat.dimension, dtype=torch.float64)) @ axes.T
    shift = axes @ flat.matrix[:-1, -1]
    return Affine.about(torch.eye(len(centre), dtype=torch.float64) + turn, shift, centre)

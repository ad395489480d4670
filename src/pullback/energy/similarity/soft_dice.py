"""SoftDice: how little two label maps overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Batch, Float, Tensor

LEAST = 1e-6
"""Where both maps of a label are empty, they agree."""


@dataclass(frozen=True)
class SoftDice(Similarity):
    """1 - 2 sum(f w) / (sum(f^2) + sum(w^2)) for each label, the mean over the labels; 1 where nothing overlaps.

    For label maps and maps of probabilities, one channel for each label; small structures count as much as large ones.
    Where structures do not overlap at all there is nothing that pulls them together: start from an affine alignment.
    Squares in the denominator make identical maps perfect, however soft they are. Milletari et al., 3DV 2016.
    """

    of_labels: ClassVar[bool] = True

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        both, each = fixed * warped, fixed.square() + warped.square()
        if weight is not None:
            both, each = both * weight, each * weight
        total = each.flatten(2).sum(dim=2)
        return (1 - (2 * both.flatten(2).sum(dim=2) + LEAST) / (total + LEAST)).mean(dim=1)

"""A weighted sum of measures: each sees what the others are blind to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pullback.energy.similarity.similarity import Similarity
from pullback.space import Space
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class Term:
    """One measure of a sum.

    Attributes:
        similarity: how unlike the images are.
        weight: what one unit of its loss counts.
    """

    similarity: Similarity
    weight: float = 1.0


@dataclass(frozen=True)
class WeightedSum(Similarity):
    """The sum of weight x loss over several measures of the same two images.

    Attributes:
        terms: the measures and their weights.
    """

    terms: tuple[Term, ...]

    def on(self, space: Space) -> WeightedSum:
        """See `Similarity`."""
        return WeightedSum(tuple(replace(term, similarity=term.similarity.on(space)) for term in self.terms))

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        total = fixed.new_zeros(())
        for term in self.terms:
            total = total + term.weight * term.similarity.loss(fixed, warped, weight)
        return total

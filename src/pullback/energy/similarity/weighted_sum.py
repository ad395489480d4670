"""A weighted sum of measures: each sees what the others are blind to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pullback.energy.similarity.similarity import Similarity
from pullback.errors import InputError
from pullback.space import Space
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class Term:
    """One measure of a sum, and what it looks at.

    Attributes:
        similarity: how unlike the images are.
        weight: what one unit of its loss counts.
        images: the name of a further pair of images (of `register(..., also=...)`, or `--also NAME=FIXED,MOVING`); null
            for the two images that are registered. Of a term with `SurfaceDistance`, the name of a surface.
        mask: the name of a mask (of `register(..., masks=...)`, or `--mask NAME=FIXED,MOVING`) outside of which nothing
            counts for this term; null for none but the images' own.

    Raises:
        InputError: a name is empty.
    """

    similarity: Similarity
    weight: float = 1.0
    images: str | None = None
    mask: str | None = None

    def __post_init__(self) -> None:
        if self.images == "" or self.mask == "":
            raise InputError("a term names images or a mask by an empty text; give a name, or leave it out")

    @property
    def key(self) -> tuple[str | None, str | None]:
        """(images, mask), under which `Pair.also` holds what it looks at."""
        return self.images, self.mask


@dataclass(frozen=True)
class WeightedSum(Similarity):
    """The sum of weight x loss over several measures, of the same two images or of further ones.

    Terms with names, and the distance of landmarks, are told apart by the `Energy`, which knows the images; `loss`
    itself compares two images, and takes terms without names.

    Attributes:
        terms: the measures and their weights.
    """

    terms: tuple[Term, ...]

    def on(self, space: Space) -> WeightedSum:
        """See `Similarity`."""
        return WeightedSum(tuple(replace(term, similarity=term.similarity.on(space)) for term in self.terms))

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`.

        Raises:
            InputError: a term names other images or a mask.
        """
        total = fixed.new_zeros(())
        for term in self.terms:
            if term.key != (None, None):
                raise InputError(f"a term compares {term.images or term.mask!r}, and this is a single pair of "
                                 "images; use the sum in an Energy, or in a recipe")  # fmt: skip
            total = total + term.weight * term.similarity.loss(fixed, warped, weight)
        return total

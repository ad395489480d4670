"""A weighted sum of regularisers, each over the whole image or within a region."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.energy.regulariser.regulariser import Regulariser
from pullback.errors import InputError, RecipeError
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class RegulariserTerm:
    """One regulariser of a sum.

    Attributes:
        regulariser: a penalty on the deformation.
        weight: what one unit of the penalty costs.
        within: the name of the mask that says how much each place of the fixed image counts; all of it if None.
    """

    regulariser: Regulariser
    weight: float = 1.0
    within: str | None = None


@dataclass(frozen=True)
class RegulariserSum(Regulariser):
    """The sum of weight x penalty over several regularisers.

    Attributes:
        terms: the regularisers, their weights, and where they act.

    Raises:
        RecipeError: a term is a sum itself.
    """

    terms: tuple[RegulariserTerm, ...]

    def __post_init__(self) -> None:
        if any(isinstance(term.regulariser, RegulariserSum) for term in self.terms):
            raise RecipeError("a sum of regularisers holds another sum; list all terms in one")

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`: of terms over the whole image, or over what `weight` says.

        Raises:
            InputError: a term names a region; see `pullback.energy.regulariser.penalty`.
        """
        named = [term.within for term in self.terms if term.within is not None]
        if named:
            raise InputError(f"a regulariser acts within {named[0]!r}, which is not known here; leave `within` out and "
                             "give the region as the weight")  # fmt: skip
        total = field.new_zeros(())
        for term in self.terms:
            total = total + term.weight * term.regulariser.loss(field, space, weight)
        return total

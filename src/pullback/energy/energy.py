"""Energy: the number that a registration makes small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pullback.energy.pair import Pair, overlap, shared
from pullback.energy.part import Part
from pullback.energy.regulariser import Regulariser
from pullback.energy.similarity import Similarity
from pullback.energy.terms import parts
from pullback.space import Space
from pullback.transforms import BSpline, Displacement, Transform
from pullback.transforms.composite import Composite
from pullback.typing import Field, Float, Tensor

__all__ = ["Compared", "Energy", "Pair", "overlap", "shared"]


@dataclass(frozen=True)
class Energy:
    """similarity(fixed, moving pulled back) + weight x regulariser(displacement).

    Voxels that are pulled from outside the moving image do not count (but see `Pair.covered`).

    Attributes:
        similarity: how unlike the images are.
        regulariser: a penalty on the displacement field, for parametrisations that do not smooth by themselves; of a
            B-spline it sees the coefficients, whose second differences are the spline's derivatives at its knots.
        regulariser_weight: what one unit of the penalty costs.
    """

    similarity: Similarity
    regulariser: Regulariser | None = None
    regulariser_weight: float = 0.0

    def on(self, pair: Pair) -> Compared:
        """The energy of this pair: what the loop of one level evaluates.

        Raises:
            InputError: a term names images, a mask or landmarks that the pair does not hold.
        """
        return Compared(self, parts(self.similarity, pair), pair.fixed_space)

    def loss(self, pair: Pair, transform: Transform) -> Float[Tensor, ""]:
        """The energy of a transform on a pair, differentiable in the transform's tensors."""
        return self.on(pair).loss(transform)

    def loss_and_force(self, pair: Pair, transform: Transform) -> tuple[float, Field]:
        """See `Compared`."""
        return self.on(pair).loss_and_force(transform)

    def penalty(self, transform: Transform) -> Float[Tensor, ""] | float:
        """What the regulariser adds, differentiable."""
        return sum(self._penalty(values, space) for values, space in _vectors(transform))

    def penalty_and_slope(self, transform: Transform) -> Iterator[tuple[float, Field]]:
        """What the regulariser adds for each deformation in the transform, and the gradient with respect to it."""
        for values, space in _vectors(transform) if self.regulariser is not None else ():
            values = values.detach().requires_grad_()
            penalty = self._penalty(values, space)
            yield float(penalty.detach()), torch.autograd.grad(penalty, values)[0]

    def _penalty(self, values: Field, space: Space) -> Float[Tensor, ""]:
        if self.regulariser is None:
            return values.new_zeros(())
        return self.regulariser_weight * self.regulariser.loss(values, space)


@dataclass(frozen=True, eq=False)
class Compared:
    """An energy on the images of one level.

    Attributes:
        energy: what is minimised.
        parts: the addends of its similarity, each with what it compares.
        space: the grid of the fixed image, on which a force is given.
    """

    energy: Energy
    parts: tuple[Part, ...]
    space: Space

    def loss(self, transform: Transform) -> Float[Tensor, ""]:
        """The energy of a transform, differentiable in its tensors."""
        first, *others = (part.loss(transform) for part in self.parts)
        return sum(others, first) + self.energy.penalty(transform)

    def loss_and_force(self, transform: Transform) -> tuple[float, Field]:
        """The energy, and its gradient with respect to a small displacement s that comes first: transform(x + s(x)).

        That is the direction for steps that are composed; the gradient with respect to the transform's own field turns
        with the field's Jacobian. The similarity's part needs no gradient of the reading, see `ops.force`; the
        regulariser's is taken with respect to the field, which is the same where the field is small.

        Returns:
            The energy, and (D, *space.shape): energy per mm, along the world axes.
        """
        total, force = self.parts[0].loss_and_force(transform, self.space)
        for loss, more in (part.loss_and_force(transform, self.space) for part in self.parts[1:]):
            total, force = total + loss, force + more
        for loss, more in self.energy.penalty_and_slope(transform):
            total, force = total + loss, force + more
        return total, force


def _vectors(transform: Transform) -> list[tuple[Field, Space]]:
    """What a regulariser sees: the vectors of each deformation in a transform, and the grid that carries them."""
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    fields = [(part.field, part.space) for part in parts if isinstance(part, Displacement)]
    return fields + [(part.coefficients, part.space) for part in parts if isinstance(part, BSpline)]

"""Energy: the number that a registration makes small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from pullback.energy.felt import carried_along, slope
from pullback.energy.pair import Key, Pair, overlap, shared
from pullback.energy.part import Part
from pullback.energy.regulariser import Regulariser, deformations, penalty, regions
from pullback.energy.similarity import Similarity
from pullback.energy.terms import keys, parts
from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Batch, Float, Tensor

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

    @property
    def keys(self) -> tuple[Key, ...]:
        """The images and masks that it names, beside the two images themselves."""
        within = () if self.regulariser is None else regions(self.regulariser)
        return tuple(dict.fromkeys((*keys(self.similarity), *((None, mask) for mask in within))))

    def on(self, pair: Pair) -> Compared:
        """The energy of this pair: what the loop of one level evaluates.

        Raises:
            InputError: a term names images, a mask or landmarks that the pair does not hold.
        """
        within = () if self.regulariser is None else regions(self.regulariser)
        return Compared(self, parts(self.similarity, pair), pair.fixed_space, {n: region(pair, n) for n in within})

    def loss(self, pair: Pair, transform: Transform) -> Float[Tensor, ""]:
        """The energy of a transform on a pair, differentiable in the transform's tensors."""
        return self.on(pair).loss(transform)

    def loss_and_force(self, pair: Pair, transform: Transform) -> tuple[float, Tensor]:
        """See `Compared`."""
        return self.on(pair).loss_and_force(transform)


def region(pair: Pair, name: str) -> Batch:
    """How much each voxel of the fixed grid counts under a mask.

    Raises:
        InputError: the pair holds no mask of that name.
    """
    if (None, name) not in pair.also:
        raise InputError(f"a regulariser acts within the mask {name!r}, which is not there; give it to register")
    masked = pair.also[None, name]
    weight = masked.fixed_weight
    return torch.ones_like(masked.fixed[:, :1]) if weight is None else weight


@dataclass(frozen=True, eq=False)
class Compared:
    """An energy on the images of one level.

    Attributes:
        energy: what is minimised.
        parts: the addends of its similarity, each with what it compares.
        space: the grid of the fixed image, on which a force is given.
        regions: by name, (1, 1, *space.shape): where terms of its regulariser act.
    """

    energy: Energy
    parts: tuple[Part, ...]
    space: Space
    regions: Mapping[str, Batch] = field(default_factory=dict)

    def loss(self, transform: Transform) -> Float[Tensor, ""]:
        """The energy of a transform, differentiable in its tensors."""
        first, *others = (part.loss(transform) for part in self.parts)
        return sum(others, first) + self.penalty(transform)

    def penalty(self, transform: Transform) -> Float[Tensor, ""] | int:
        """What the regulariser adds; 0 where there is none."""
        return sum(self._penalty(part) for part in self._penalised(transform))

    def loss_and_force(self, transform: Transform, space: Space | None = None) -> tuple[float, Tensor]:
        """The energy, and its gradient with respect to a small displacement s that comes first: transform(x + s(x)).

        That is the direction for steps that are composed; the gradient with respect to the transform's own field turns
        with the field's Jacobian. The similarity's part needs no gradient of the reading, see `ops.force`; the
        regulariser's is taken with respect to the field, which is the same where the field is small.

        Args:
            transform: fixed world -> moving world.
            space: the grid of the displacement, and of the gradient; that of the fixed image by default.

        Returns:
            The energy, and (D, *space.shape): energy per mm, along the world axes; (n, D, *space.shape), one for each
            field, of a transform that begins with a `Flow` of n.
        """
        space = self.space if space is None else space
        total, force = self.parts[0].loss_and_force(transform, space)
        for loss, more in (part.loss_and_force(transform, space) for part in self.parts[1:]):
            total, force = total + loss, force + more
        force = carried_along(transform, force)
        found = self._penalised(transform)
        total += sum(float(self._penalty(part).detach()) for part in found[:-1])
        if found:  # the last is the part on the fixed side, which the step changes
            cost, pull = slope(found[-1], self._penalty)
            force, total = force + pull, total + cost
        return total, force

    def _penalised(self, transform: Transform) -> list[Transform]:
        return [] if self.energy.regulariser is None else deformations(transform)

    def _penalty(self, part: Transform) -> Float[Tensor, ""]:
        assert self.energy.regulariser is not None
        return self.energy.regulariser_weight * penalty(self.energy.regulariser, part, self.space, self.regions)

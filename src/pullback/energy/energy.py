"""Energy: the number that a registration makes small."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy.regulariser import Regulariser
from pullback.energy.similarity import Similarity
from pullback.space import Space
from pullback.transforms import BSpline, Displacement, Transform
from pullback.transforms.apply import Reading, reading
from pullback.transforms.composite import Composite
from pullback.typing import Batch, Field, Float, Tensor


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images as one level of a registration sees them.

    Attributes:
        fixed: (1, c, *fixed_space.shape), scaled to about [0, 1].
        moving: (1, c, *moving_space.shape), likewise.
        fixed_space: the grid on which they are compared.
        moving_space: the moving image's own grid.
        fixed_weight: (1, 1, *fixed_space.shape), how much each fixed voxel counts.
        moving_weight: (1, 1, *moving_space.shape), how much each moving voxel counts.
        covered: whether the moving image covers the fixed one all but for a few voxels, and will go on to: then those
            few see its edge repeated, which saves finding out which they are.
        scatter: how far from the voxel centres of `fixed_space` the pair is compared; at the centres if None. `fixed`
            and `fixed_weight` hold the values there.
    """

    fixed: Batch
    moving: Batch
    fixed_space: Space
    moving_space: Space
    fixed_weight: Batch | None = None
    moving_weight: Batch | None = None
    covered: bool = False
    scatter: Displacement | None = None


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

    def loss(self, pair: Pair, transform: Transform) -> Float[Tensor, ""]:
        """The energy of a transform on a pair, differentiable in the transform's tensors."""
        where = _where(pair, transform)
        warped = ops.sample(pair.moving, *where, shape=pair.fixed_space.shape)
        loss = self.similarity.on(pair.fixed_space).loss(pair.fixed, warped, _weight(pair, where))[0]
        return loss + sum(self._penalty(values, space) for values, space in vectors(transform))

    def loss_and_force(self, pair: Pair, transform: Transform) -> tuple[float, Field]:
        """The energy, and its gradient with respect to a small displacement s that comes first: transform(x + s(x)).

        That is the direction for steps that are composed; the gradient with respect to the transform's own field turns
        with the field's Jacobian. The similarity's part needs no gradient of the reading, see `ops.force`; the
        regulariser's is taken with respect to the field, which is the same where the field is small.

        Returns:
            The energy, and (D, *fixed_space.shape): energy per mm, along the world axes.
        """
        with torch.no_grad():
            where = reading(transform, pair.moving_space, pair.fixed_space)
            warped = ops.sample(pair.moving, *where, shape=pair.fixed_space.shape)
            weight = _weight(pair, where)
        warped.requires_grad_()
        loss = self.similarity.on(pair.fixed_space).loss(pair.fixed, warped, weight)[0]
        (gradient,) = torch.autograd.grad(loss, warped)
        force, total = ops.force(warped, gradient, pair.fixed_space.inverse[:-1, :-1])[0], float(loss.detach())
        for values, space in vectors(transform) if self.regulariser is not None else ():
            values = values.detach().requires_grad_()
            penalty = self._penalty(values, space)
            force, total = force + torch.autograd.grad(penalty, values)[0], total + float(penalty.detach())
        return total, force

    def _penalty(self, values: Field, space: Space) -> Float[Tensor, ""]:
        if self.regulariser is None:
            return values.new_zeros(())
        return self.regulariser_weight * self.regulariser.loss(values, space)


def vectors(transform: Transform) -> list[tuple[Field, Space]]:
    """What a regulariser sees: the vectors of each deformation in a transform, and the grid that carries them."""
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    fields = [(part.field, part.space) for part in parts if isinstance(part, Displacement)]
    return fields + [(part.coefficients, part.space) for part in parts if isinstance(part, BSpline)]


def overlap(pair: Pair, transform: Transform) -> float:
    """The share of the fixed image's (weighted) voxels that are pulled from inside the moving image."""
    weight = _weight(pair, _where(pair, transform))
    if weight is None:
        return 1.0
    return float(weight.sum()) / max(_counted(pair.fixed_weight, pair.fixed_space), 1e-6)


def shared(pair: Pair, transform: Transform) -> float:
    """How much of the smaller of the two images (of what counts in them) lies in the other, about 0 to 1."""
    fixed = _counted(pair.fixed_weight, pair.fixed_space) * _voxel_volume(pair.fixed_space)
    moving = _counted(pair.moving_weight, pair.moving_space) * _voxel_volume(pair.moving_space)
    return overlap(pair, transform) * fixed / max(min(fixed, moving), 1e-6)


def _where(pair: Pair, transform: Transform) -> Reading:
    """Where the moving image is read for each voxel of the fixed one."""
    moved = transform if pair.scatter is None else transform @ pair.scatter
    return reading(moved, pair.moving_space, pair.fixed_space)


def _counted(weight: Batch | None, space: Space) -> float:
    """The number of voxels of an image, each as much as it counts."""
    return float(space.count if weight is None else weight.sum())


def _voxel_volume(space: Space) -> float:
    return float(torch.linalg.det(space.linear).abs())


def _weight(pair: Pair, where: Reading) -> Batch | None:
    """How much each fixed voxel counts: its own mask, the moving mask pulled back, and nothing from outside the image.

    None stands for ones everywhere. Not differentiated: a registration must not win by looking away.
    """
    shape = pair.fixed_space.shape
    if pair.covered and pair.moving_weight is None:
        return pair.fixed_weight
    with torch.no_grad():
        weight = ops.inside(pair.moving_space.shape, *where, shape=shape).to(pair.fixed)
        if pair.moving_weight is not None:
            weight = weight * ops.sample(pair.moving_weight, *where, shape=shape)
        elif pair.fixed_weight is None and float(weight.min()) == 1:
            return None
        return weight if pair.fixed_weight is None else weight * pair.fixed_weight

"""Meeting: the energy of two images that are both pulled to the middle, with forces on either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from pullback import ops
from pullback.energy.energy import Energy
from pullback.energy.felt import carried_along, slope
from pullback.energy.regulariser import deformations, penalty
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform
from pullback.transforms.apply import Reading, reading
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True, eq=False)
class Side:
    """One of two images that meet.

    Attributes:
        data: (1, c, *space.shape), scaled to about [0, 1].
        space: its own grid.
        weight: (1, 1, *space.shape), how much each voxel counts.
        carry: middle world -> the image's world, as known before the halves that are looked for.
    """

    data: Batch
    space: Space
    weight: Batch | None
    carry: Transform

    def laid(self, grid: Space) -> Side:
        """The same image read on a grid in the middle, with what lies outside it weighted 0."""
        where = reading(self.carry, self.space, grid)
        data = ops.sample(self.data, *where, shape=grid.shape)
        return Side(data, grid, self.counted(where, grid), Affine.identity(grid.dimension))

    def counted(self, where: Reading, grid: Space) -> Batch:
        """How much of what is read counts: inside the image, and its mask there."""
        weight = ops.inside(self.space.shape, *where, shape=grid.shape, device=self.data.device).to(self.data)
        return weight if self.weight is None else weight * ops.sample(self.weight, *where, shape=grid.shape)


@dataclass(frozen=True, eq=False)
class Meeting:
    """Half of similarity(fixed, moving) + similarity(moving, fixed), both pulled to one grid in the middle.

    Attributes:
        energy: the similarity, and a regulariser of either half.
        fixed: the one image.
        moving: the other.
        space: the grid in the middle.
        covered: whether both images cover the grid all but for a few voxels: those see an edge repeated.
        scatter: how far from the voxel centres the images are compared; at the centres if None.
        weight: what one unit of the similarity counts.
        regions: by name, (1, 1, *space.shape): where terms of the regulariser act.
    """

    energy: Energy
    fixed: Side
    moving: Side
    space: Space
    covered: bool = False
    scatter: Displacement | None = None
    weight: float = 1.0
    regions: Mapping[str, Batch] = field(default_factory=dict)

    def described(self) -> Meeting:
        """The same with features in place of brightness, for similarities that compare those, on the middle grid."""
        measure = self.energy.similarity.on(self.space)
        sides = []
        for side in (self.fixed.laid(self.space), self.moving.laid(self.space)):
            features = measure.features(side.data)
            if features is None:
                return self
            sides.append(replace(side, data=features))
        return replace(self, energy=replace(self.energy, similarity=measure.of_features()), fixed=sides[0],
                       moving=sides[1], covered=False)  # fmt: skip

    def met(self, to_fixed: Transform, to_moving: Transform) -> float:
        """The share of the middle grid that lies in both images, as far as they count."""
        where = self._where(to_fixed, to_moving)
        weight = self.fixed.counted(where[0], self.space) * self.moving.counted(where[1], self.space)
        return float(weight.mean())

    def loss(self, to_fixed: Transform, to_moving: Transform) -> Float[Tensor, ""]:
        """The energy of two halves, differentiable in their tensors.

        Args:
            to_fixed: middle world -> where `fixed.carry` starts.
            to_moving: middle world -> where `moving.carry` starts.
        """
        where = self._where(to_fixed, to_moving)
        fixed, moving = self._read(where)
        measure, weight = self.energy.similarity.on(self.space), self._weight(where)
        there = measure.loss(fixed.detach(), moving, weight)[0]
        back = measure.loss(moving.detach(), fixed, weight)[0]
        both = self.weight * (there + back)  # each knows but one half of its gradient
        return both - both.detach() / 2 + self._penalty(to_fixed) + self._penalty(to_moving)

    def loss_and_forces(self, to_fixed: Transform, to_moving: Transform) -> tuple[float, Float[Tensor, "2 *each"]]:
        """The energy, and its gradients with respect to a small displacement before either half; see `Energy`."""
        with torch.no_grad():
            where = self._where(to_fixed, to_moving)
            fixed, moving = self._read(where)
            weight = self._weight(where)
        measure, mix = self.energy.similarity.on(self.space), self.space.inverse[:-1, :-1]
        total, forces = 0.0, []
        for image, other, half in ((fixed, moving, to_fixed), (moving, fixed, to_moving)):
            warped = image.detach().requires_grad_()
            loss = self.weight * measure.loss(other, warped, weight)[0]
            (gradient,) = torch.autograd.grad(loss, warped)
            cost, pull = self._pull(half)
            forces.append(carried_along(half, ops.force(warped, gradient, mix)[0]) + pull)
            total += float(loss.detach()) / 2 + cost
        return total, torch.stack(forces)

    def _where(self, to_fixed: Transform, to_moving: Transform) -> tuple[Reading, Reading]:
        """Where either image is read."""
        found = []
        for side, half in ((self.fixed, to_fixed), (self.moving, to_moving)):
            whole = side.carry @ half
            found.append(reading(whole if self.scatter is None else whole @ self.scatter, side.space, self.space))
        return found[0], found[1]

    def _read(self, where: tuple[Reading, Reading]) -> tuple[Batch, Batch]:
        fixed, moving = (
            ops.sample(side.data, *at, shape=self.space.shape)
            for side, at in zip((self.fixed, self.moving), where, strict=True)
        )
        return fixed, moving

    def _weight(self, where: tuple[Reading, Reading]) -> Batch | None:
        """How much each voxel counts; None stands for ones everywhere. Not differentiated."""
        if self.covered and self.fixed.weight is None and self.moving.weight is None:
            return None
        with torch.no_grad():
            return self.fixed.counted(where[0], self.space) * self.moving.counted(where[1], self.space)

    def _penalty(self, half: Transform) -> Float[Tensor, ""]:
        if self.energy.regulariser is None:
            return torch.zeros(())
        costs = [penalty(self.energy.regulariser, part, self.space, self.regions) for part in deformations(half)]
        return self.energy.regulariser_weight * sum(costs, torch.zeros(()))

    def _pull(self, half: Transform) -> tuple[float, Tensor | float]:
        """The regulariser's part: its value, and its gradient with respect to the half's field."""
        if self.energy.regulariser is None or not deformations(half):
            return 0.0, 0.0
        return slope(half, self._penalty)

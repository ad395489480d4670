"""Part: one addend of an energy, with the images, landmarks or surfaces that it compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch

from pullback import ops
from pullback.energy.landmarks import Landmarks
from pullback.energy.pair import Pair, counted_weight, pulled, where_coarsely, where_read
from pullback.energy.similarity import LandmarkDistance, Similarity, SurfaceDistance
from pullback.energy.surfaces import Surfaces
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.transforms.apply import coarser
from pullback.typing import Field, Float, PointsTensor, Tensor


@dataclass(frozen=True, eq=False)
class ImagePart:
    """weight x similarity(fixed, moving pulled back).

    Attributes:
        similarity: how unlike the images are.
        pair: the images.
        weight: what one unit of the loss counts.
    """

    similarity: Similarity
    pair: Pair
    weight: float = 1.0

    def loss(self, transform: Transform) -> Float[Tensor, ""]:
        """The addend, differentiable in the transform's tensors."""
        pair = self.pair
        measure = self.similarity.on(pair.fixed_space)
        if not torch.is_grad_enabled():
            where = where_coarsely(pair, transform)
            if where[1] is not None and tuple(where[1].shape[2:]) != pair.fixed_space.shape:
                warped = pulled(pair.moving, where, pair.fixed_space.shape)
                return self._weighed(measure.loss(pair.fixed, warped, counted_weight(pair, where))[0])
        where = where_read(pair, transform)
        if pair.moving_weight is None and not pair.covered and not (where[1] is not None and where[1].requires_grad):
            inside = measure.loss_inside(pair.fixed, pair.moving, where, pair.fixed_weight)
            if inside is not None:
                return self._weighed(inside[0])
        return self._weighed(measure.loss_read(pair.fixed, pair.moving, where, counted_weight(pair, where))[0])

    def loss_and_force(self, transform: Transform, space: Space) -> tuple[float, Field]:
        """The addend, and its gradient with respect to a small displacement that comes first; see `Energy`.

        That needs no gradient of the reading, see `ops.force`.

        Args:
            transform: fixed world -> moving world.
            space: the grid of the displacement, and of the gradient.
        """
        loss, force = self.pull(transform, space)
        return float(loss), force

    def pull(self, transform: Transform, space: Space) -> tuple[Float[Tensor, ""], Field]:
        """The same; the program need not wait for the number."""
        pair = self.pair
        here = pair.fixed_space
        with torch.no_grad():
            where = where_coarsely(pair, transform)
            warped, weight = pulled(pair.moving, where, here.shape), counted_weight(pair, where)
        warped.requires_grad_()
        loss = self._weighed(self.similarity.on(here).loss(pair.fixed, warped, weight)[0])
        (gradient,) = torch.autograd.grad(loss, warped)
        if coarser(space, here):
            return loss.detach(), ops.force_coarse(warped, gradient, here.inverse[:-1, :-1], space.shape)[0]
        return loss.detach(), carried(ops.force(warped, gradient, here.inverse[:-1, :-1])[0], here, space)

    def _weighed(self, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        return loss if self.weight == 1 else self.weight * loss


@dataclass(frozen=True, eq=False)
class LandmarkPart:
    """weight x distance of the landmarks.

    Attributes:
        similarity: how a distance is judged.
        landmarks: the points, on the device of the images.
        weight: what one unit of the loss counts.
    """

    similarity: LandmarkDistance
    landmarks: Landmarks
    weight: float = 1.0

    def loss(self, transform: Transform) -> Float[Tensor, ""]:
        """The addend, differentiable in the transform's tensors."""
        return self._loss(transform, self._fixed(transform))

    def loss_and_force(self, transform: Transform, space: Space) -> tuple[float, Field]:
        """See `ImagePart`: a landmark pulls at the voxels of the grid about it, which the model's smoothing spreads."""
        points = self._fixed(transform).detach().requires_grad_()
        loss = self._loss(transform, points)
        (pull,) = torch.autograd.grad(loss, points)
        return float(loss.detach()), spread(pull, points, space)

    def _fixed(self, transform: Transform) -> PointsTensor:
        return suiting(self.landmarks.fixed.world, transform)

    def _loss(self, transform: Transform, points: PointsTensor) -> Float[Tensor, ""]:
        apart = transform.move(points) - self.landmarks.moving.world.to(points)
        return self.weight * judged(self.similarity, self.landmarks, apart)


@dataclass(frozen=True, eq=False)
class SurfacePart:
    """weight x the mean over surfaces of how far they lie apart.

    Attributes:
        similarity: how a distance is judged.
        surfaces: points on them, on the device of the images.
        weight: what one unit of the loss counts.
    """

    similarity: SurfaceDistance
    surfaces: Surfaces
    weight: float = 1.0

    def loss(self, transform: Transform) -> Float[Tensor, ""]:
        """The addend, differentiable in the transform's tensors."""
        return self._loss(transform, suiting(self._fixed, transform))

    def loss_and_force(self, transform: Transform, space: Space) -> tuple[float, Field]:
        """See `LandmarkPart`."""
        points = suiting(self._fixed, transform).detach().requires_grad_()
        loss = self._loss(transform, points)
        (pull,) = torch.autograd.grad(loss, points)
        return float(loss.detach()), spread(pull, points, space)

    @property
    def _fixed(self) -> PointsTensor:
        return torch.cat([fixed.world for fixed, _ in self.surfaces.named.values()])

    def _loss(self, transform: Transform, points: PointsTensor) -> Float[Tensor, ""]:
        pairs = self.surfaces.named.values()
        moved = torch.split(transform.move(points), [len(fixed.world) for fixed, _ in pairs])
        losses = [
            self.similarity.loss(moving.world.T[None].to(there), there.T[None])[0]
            for there, (_, moving) in zip(moved, pairs, strict=True)
        ]
        return self.weight * torch.stack(losses).mean()


Part: TypeAlias = ImagePart | LandmarkPart | SurfacePart


def suiting(points: PointsTensor, transform: Transform) -> PointsTensor:
    """In double precision where the transform is a matrix; not so where that would copy its whole field."""
    return points.to(torch.float64 if isinstance(transform, Affine) else torch.float32)


def judged(similarity: LandmarkDistance, landmarks: Landmarks, apart: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """What the distances of landmarks from their partners cost, each beside how sure it is."""
    gaps = apart.T[None]
    if landmarks.sigma_mm is not None:
        gaps = gaps * (similarity.sigma_mm / landmarks.sigma_mm).to(gaps)
    counts = None if landmarks.counts is None else landmarks.counts[None, None].to(gaps)
    loss: Tensor = similarity.loss(torch.zeros_like(gaps), gaps, counts)[0]
    return loss


def spread(pull: Float[Tensor, "n d"], points: PointsTensor, space: Space) -> Field:
    """Pulls at points as a force on the voxels of a grid about each, whose displacement is read linearly there."""
    field = torch.zeros(1, space.dimension, *space.shape, device=pull.device, requires_grad=True)
    there = ops.sample_points(field, space.to_voxels(points.detach()).to(field))
    (force,) = torch.autograd.grad(there, field, pull.T.to(field))
    return force[0]


def carried(force: Field, here: Space, space: Space) -> Field:
    """The same force on another grid, whose displacement is read linearly at the voxels of the first one."""
    if here.same_as(space):
        return force
    field = torch.zeros(1, space.dimension, *space.shape, device=force.device, requires_grad=True)
    read = ops.sample(field, (space.inverse @ here.matrix)[:-1], shape=here.shape)
    (there,) = torch.autograd.grad(read, field, force[None])
    return there[0]

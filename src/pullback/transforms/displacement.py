"""Displacement: a vector in mm at every voxel of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import SpaceError
from pullback.space import Space
from pullback.transforms.transform import Transform
from pullback.typing import Field, Matrix, PointsTensor


@dataclass(frozen=True, eq=False)
class Displacement(Transform):
    """x -> x + field(x), read linearly between voxels; beyond the grid its edge is repeated.

    Attributes:
        field: (D, *space.shape) mm along the world axes.
        space: the grid that carries the vectors.

    Raises:
        SpaceError: the field does not have the shape of the space.
    """

    field: Field
    space: Space

    def __post_init__(self) -> None:
        if tuple(self.field.shape) != (self.space.dimension, *self.space.shape):
            raise SpaceError(f"a displacement field of shape {tuple(self.field.shape)} does not fit {self.space!r}; "
                             "it must be (dimension, *space.shape)")  # fmt: skip

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    @property
    def mix(self) -> Matrix:
        """(D, D), mm along the world axes -> voxels of the grid."""
        return self.space.inverse[:-1, :-1]

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        field = self.field.to(points)
        voxels = self.space.to_voxels(points).reshape(-1, self.dimension)
        return points + ops.sample_points(field[None], voxels).T.reshape(points.shape)

    def inverse(self) -> Transform:
        """The inverse, solved for at each point when it is asked for; see `Inverse`."""
        from pullback.transforms.inverse import Inverse  # noqa: PLC0415 - an Inverse undoes a Displacement

        return Inverse(self)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        if first is None and space.same_as(self.space):
            return self.field
        matrix = (self.space.inverse @ space.matrix)[:-1]
        if first is None:
            return ops.sample(self.field[None], matrix, shape=space.shape)[0]
        first = first.to(self.field.device, torch.promote_types(first.dtype, self.field.dtype))
        return first + ops.sample(self.field[None], matrix, first[None], self.mix)[0]

    def jacobian(self) -> torch.Tensor:
        """The Jacobian determinant at every voxel, (*space.shape); where it is not positive, the map folds."""
        return ops.jacobian(self.field[None], self.mix)[0]

    def __repr__(self) -> str:
        largest = float(self.field.detach().norm(dim=0).max())
        return f"Displacement(up to {largest:.4g} mm on {self.space!r})"

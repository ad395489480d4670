"""Velocity: a stationary velocity field; its flow after unit time is a diffeomorphism."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pullback import ops
from pullback.errors import InputError, SpaceError
from pullback.space import Space
from pullback.transforms.displacement import Displacement
from pullback.transforms.transform import Transform
from pullback.typing import Field, PointsTensor


@dataclass(frozen=True, eq=False)
class Velocity(Transform):
    """The flow of dx/dt = field(x) from t = 0 to 1, by scaling and squaring.

    Arsigny et al., MICCAI 2006: exp(v) is (exp(v / 2^n)) composed with itself n times over.

    Attributes:
        field: (D, *space.shape) mm per unit time along the world axes.
        space: the grid that carries the vectors.
        steps: number of squarings n; 6 or 7 is enough for displacements of some tens of voxels.

    Raises:
        SpaceError: the field does not have the shape of the space.
        InputError: a negative number of steps.
    """

    field: Field
    space: Space
    steps: int = 7

    def __post_init__(self) -> None:
        if tuple(self.field.shape) != (self.space.dimension, *self.space.shape):
            raise SpaceError(f"a velocity field of shape {tuple(self.field.shape)} does not fit {self.space!r}")
        if self.steps < 0:
            raise InputError(f"scaling and squaring needs steps >= 0; got {self.steps}")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    def displacement(self) -> Displacement:
        """The flow at unit time, as a displacement on the same grid."""
        field = ops.exponential(self.field[None], self.space.inverse[:-1, :-1], self.steps)
        return Displacement(field[0], self.space)

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return self.displacement().move(points)

    def inverse(self) -> Velocity:
        """The flow of the opposite field: the exact inverse, up to the steps of the integration."""
        return replace(self, field=-self.field)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        return self.displacement().displace(space, first)

    def __repr__(self) -> str:
        return f"Velocity(up to {float(self.field.detach().norm(dim=0).max()):.4g} mm on {self.space!r})"

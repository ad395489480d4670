"""Folding: a wall in front of maps that are not one to one."""

from dataclasses import dataclass
from typing import ClassVar

from pullback.energy.regulariser.differences import LEAST
from pullback.energy.regulariser.jacobians import jacobian_where, jacobians
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Folding(Regulariser):
    """mean max(0, least_jacobian - J)^2 (no unit), J the Jacobian determinant: free until tissue shrinks to that part.

    The determinant is that of central differences, which the report's share of folds counts too. Haber & Modersitzki,
    International Journal of Computer Vision 71(3), 2007, bound the same quantity.

    Attributes:
        least_jacobian: the volume, as a part of its own, below which it costs.
    """

    least_jacobian: float = 0.3
    of_displacement: ClassVar[bool] = True

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        low = jacobians(field, space) < self.least_jacobian
        counts = None if weight is None else weight.to(field)
        costs = (self.least_jacobian - jacobian_where(field, space, low)).clamp(min=0) ** 2
        if counts is None:
            return costs.sum() / space.count
        return (costs * counts[low]).sum() / counts.sum().clamp(min=LEAST)

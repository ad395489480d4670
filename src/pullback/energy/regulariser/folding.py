"""Folding: a wall in front of maps that are not one to one."""

from dataclasses import dataclass
from typing import ClassVar

from pullback import ops
from pullback.energy.regulariser.differences import mean
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
        jacobian = ops.jacobian(field[None], space.inverse[:-1, :-1])[0]
        return mean((self.least_jacobian - jacobian).clamp(min=0) ** 2, weight)

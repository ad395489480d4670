"""Incompressible: tissue keeps its volume."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from pullback import ops
from pullback.energy.regulariser.differences import mean
from pullback.energy.regulariser.jacobians import jacobian_where
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor

FLOOR = 0.1
"""Below this Jacobian, log J and 1 / J go on as straight lines, so that a fold has a cost and a way out."""


@dataclass(frozen=True)
class Incompressible(Regulariser):
    """mean log^2 J, (J - 1)^2 or J + 1/J - 2 (no unit), J the Jacobian determinant: muscle is nearly incompressible.

    For small changes of volume log^2 J, (J - 1)^2 and J + 1/J - 2 agree; farther away the first and the last cost alike
    in both directions, and the second lets tissue vanish at the price of 1. Meant for a region: see `RegulariserTerm`.
    Rohlfing et al., IEEE Transactions on Medical Imaging 22(6), 2003.

    Attributes:
        measure: log, difference or ratio, in the order above.
    """

    measure: Literal["log", "difference", "ratio"] = "log"
    of_displacement: ClassVar[bool] = True

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        if weight is None:
            return mean(self._cost(ops.jacobian(field[None], space.inverse[:-1, :-1])[0]), None)
        within = weight > 0
        return mean(self._cost(jacobian_where(field, space, within)), weight[within])

    def _cost(self, jacobian: Tensor) -> Tensor:
        if self.measure == "difference":
            return (jacobian - 1) ** 2
        safe = jacobian.clamp(min=FLOOR)
        below = (jacobian - FLOOR).clamp(max=0)
        if self.measure == "log":
            return (torch.log(safe) + below / FLOOR) ** 2
        return jacobian + 1 / safe - below / FLOOR**2 - 2

"""Local rigidity: a bone may turn as far as it likes, and stays a bone."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from pullback.energy.regulariser.bending import Bending
from pullback.energy.regulariser.differences import mean
from pullback.energy.regulariser.jacobians import slopes_where
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class LocalRigidity(Regulariser):
    """mean (affinity |d2u/dx2|^2 + orthonormality |F'F - I|^2 + properness (det F - 1)^2), F = I + du/dx: 0 if rigid.

    Turns of any size and shifts are free, where `Elastic` lets small turns pass only. Meant for a region, or for a map
    of how stiff each place is: see `RegulariserTerm`. Staring, Klein and Pluim, Medical Physics 34(11), 2007.

    Attributes:
        affinity: what bending costs, in mm^2: 100 for a bend over 10 mm to count as much as a strain of its size.
        orthonormality: what stretch and shear cost.
        properness: what a change of volume costs besides, and a reflection, which the term before lets pass.
    """

    affinity: float = 100.0
    orthonormality: float = 1.0
    properness: float = 2.0
    of_displacement: ClassVar[bool] = True

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        counts = None if weight is None else weight.to(field)
        within = torch.ones(space.shape, dtype=torch.bool, device=field.device) if counts is None else counts > 0
        slopes = slopes_where(field, space, within)
        strain = slopes + slopes.mT + slopes.mT @ slopes  # F'F - I, and exactly 0 where nothing moves
        cost = self.orthonormality * strain.square().sum(dim=(-2, -1))
        if self.properness > 0:
            volume = torch.linalg.det(slopes + torch.eye(space.dimension).to(slopes))
            cost = cost + self.properness * (volume - 1) ** 2
        total = mean(cost, None if counts is None else counts[within])
        return total + self.affinity * Bending().loss(field, space, counts) if self.affinity > 0 else total

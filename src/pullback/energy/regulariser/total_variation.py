"""Total variation: a step costs no more than a ramp of the same height."""

from dataclasses import dataclass

import torch

from pullback.energy.regulariser.differences import halfway, mean, wide
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class TotalVariation(Regulariser):
    """mean (sqrt(|du/dx|^2 + knee^2) - knee) (no unit): lets organs slide along each other, where `Diffusion` will not.

    All components and axes stand under one root (isotropic), cell by cell. Rudin, Osher & Fatemi, Physica D 60, 1992;
    for registration Vishnevskiy et al., IEEE Transactions on Medical Imaging 36(2), 2017.

    Attributes:
        knee: slopes (mm per mm) well below this cost by their square, those above by their size.
    """

    knee: float = 0.01

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        axes = [a for a, _ in wide(space)]
        squares = field.new_zeros([n - (n > 1) for n in space.shape])
        for axis, mm in wide(space):
            edges = torch.diff(field, dim=axis + 1).square().sum(dim=0) / mm**2
            squares = squares + halfway(edges, tuple(a for a in axes if a != axis))
        density = torch.sqrt(squares + self.knee**2) - self.knee
        return mean(density, None if weight is None else halfway(weight, tuple(axes)))

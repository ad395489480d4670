"""Diffusion: small where neighbours move alike."""

from dataclasses import dataclass

from pullback.energy.regulariser.differences import mean_squares, wide
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Diffusion(Regulariser):
    """mean |du/dx|^2 (no unit): small where neighbours move alike. Discourages affine maps too."""

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        return mean_squares(field, tuple(((a,), mm**-2) for a, mm in wide(space)), weight)

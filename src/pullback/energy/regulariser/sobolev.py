"""Sobolev: small where the displacement is, and smooth."""

from dataclasses import dataclass
from typing import Literal

from pullback.energy.regulariser.differences import laplacian, mean, mean_squares, wide
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Sobolev(Regulariser):
    """mean |u|^2 + reach^2 |du/dx|^2, or mean |u - reach^2 Laplacian of u|^2 (mm^2): whatever moves costs.

    A wave of length 2 pi reach costs 2 (or 4) times what a shift of its size does. The metric of diffeomorphic flows:
    Beg et al., International Journal of Computer Vision 61(2), 2005, whose operator is the one of order 2.

    Attributes:
        reach_mm: below this length roughness outweighs motion.
        order: 1 or 2, how fast the cost grows with roughness.
    """

    reach_mm: float = 10.0
    order: Literal[1, 2] = 2

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        if self.order == 2:
            return mean((field - self.reach_mm**2 * laplacian(field, space)).square().sum(dim=0), weight)
        rough = mean_squares(field, tuple(((a,), (self.reach_mm / mm) ** 2) for a, mm in wide(space)), weight)
        return mean(field.square().sum(dim=0), weight) + rough

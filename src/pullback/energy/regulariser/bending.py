"""Bending: small where a map is nearly affine."""

from dataclasses import dataclass

from pullback.energy.regulariser.differences import Operator, mean_squares, wide
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Bending(Regulariser):
    """mean |d2u/dx2|^2 (1/mm^2), mixed derivatives twice: small where the map is nearly affine, which it leaves free.

    Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999.
    """

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        axes = wide(space)
        operators: list[Operator] = []
        for a, mm in axes:
            if space.shape[a] > 2:
                operators.append(((a, a), mm**-4))
            operators += [((a, b), 2 / (mm * other) ** 2) for b, other in axes if b > a]
        return mean_squares(field, tuple(operators), weight)

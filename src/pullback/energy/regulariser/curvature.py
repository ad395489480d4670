"""Curvature: small where the Laplacian of the displacement is."""

from dataclasses import dataclass

from pullback.energy.regulariser.differences import laplacian, mean
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Curvature(Regulariser):
    """mean |Laplacian of u|^2 (1/mm^2): as `Bending` inside the image, in fewer differences; affine maps are free.

    So are other harmonic displacements, which only the images hold. Fischer & Modersitzki, Journal of Mathematical
    Imaging and Vision 18(1), 2003.
    """

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        return mean(laplacian(field, space).square().sum(dim=0), weight)

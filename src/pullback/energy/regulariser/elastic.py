"""Elastic: the energy of a linear elastic body."""

from dataclasses import dataclass
from itertools import combinations

import torch

from pullback.energy.regulariser.differences import halfway, mean, wide
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.space import Space
from pullback.typing import Field, Float, Tensor


@dataclass(frozen=True)
class Elastic(Regulariser):
    """mean (shear/4 sum_ij (d_i u_j + d_j u_i)^2 + dilation/2 (div u)^2) (no unit): rotations by small angles are free.

    The Navier-Lame potential; Broit, Optimal registration of deformed images, 1981. Squares are taken on the edges of
    the grid's cells and mixed products on their faces, so that no pattern from voxel to voxel goes unseen. On a sheared
    grid its axes are taken for the nearest orthogonal ones.

    Attributes:
        shear: Lame's mu: what a change of shape costs.
        dilation: Lame's lambda: what a change of volume costs besides; many times the shear for soft tissue.
    """

    shear: float = 1.0
    dilation: float = 1.0

    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        axes = [a for a, _ in wide(space)]
        local = _along_axes(field, space)
        slopes = {a: torch.diff(local, dim=a + 1) / mm for a, mm in wide(space)}
        density = field.new_zeros([n - (n > 1) for n in space.shape])
        for a, slope in slopes.items():
            squares = self.shear / 2 * slope.square().sum(dim=0) + (self.shear + self.dilation) / 2 * slope[a] ** 2
            density = density + halfway(squares, tuple(b for b in axes if b != a))
        for a, b in combinations(axes, 2):
            along, across = (halfway(slopes[a][c], (b,)) for c in (a, b))
            other_across, other_along = (halfway(slopes[b][c], (a,)) for c in (a, b))
            products = self.shear * across * other_across + self.dilation * along * other_along
            density = density + halfway(products, tuple(c for c in axes if c not in (a, b)))
        return mean(density, None if weight is None else halfway(weight, tuple(axes)))


def _along_axes(field: Field, space: Space) -> Field:
    """The components of the vectors along the axes of the grid, instead of the world's."""
    u, _, vh = torch.linalg.svd(space.linear / torch.tensor(space.spacing, dtype=torch.float64))
    return torch.einsum("ia,i...->a...", (u @ vh).to(field), field)

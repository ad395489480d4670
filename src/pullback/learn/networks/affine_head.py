"""AffineHead: from features of two images to the affine map between them.

At every voxel of a coarse grid it says how far the images are apart there and how sure that is; the affine map is the
weighted least-squares fit to that. So it is made of convolutions and one small linear system: any size is taken, a
shift of both images changes nothing, and what is not sure does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pullback.learn.networks.features import Comparison
from pullback.typing import Batch, Float, Shape, Tensor

STIFFNESS = 0.005
"""Added to the weighted variance of the places (of a grid from -1 to 1): little evidence gives no turn and no scale."""
LEAST_WEIGHT = 1e-3


class AffineHead(nn.Module):
    """Features of two images in, an affine map out; see `Comparison` for its settings."""

    def __init__(self, dimension: int, features: int, coarser: int, widths: Sequence[int], reach: int, scale: float):
        super().__init__()
        self.compare = Comparison(dimension, features, coarser, widths, dimension + 1, reach)
        self.scale = scale

    def forward(self, fixed: Batch, warped: Batch, coarser: Batch | None) -> tuple[AffineField, Batch]:
        """The map in voxels of this level, and the features for the next one."""
        said, features = self.compare(fixed, warped, coarser)
        said = said.float()
        weight = torch.sigmoid(said[:, -1:]) + LEAST_WEIGHT
        return fitted(self.scale * said[:, :-1], weight), features


@dataclass(frozen=True, eq=False)
class AffineField:
    """x -> x + linear (x - middle) + shift for voxels x of a grid.

    Attributes:
        linear: (b, D, D), what is added to the identity.
        shift: (b, D) voxels of the grid's level.
    """

    linear: Float[Tensor, "b d d"]
    shift: Float[Tensor, "b d"]

    def after(self, inner: AffineField) -> AffineField:
        """This map after another one, of the same level."""
        linear = self.linear + inner.linear + self.linear @ inner.linear
        return AffineField(linear, self.shift + inner.shift + (self.linear @ inner.shift[..., None])[..., 0])

    def inverse(self) -> AffineField:
        """The map back."""
        eye = torch.eye(self.linear.shape[-1], device=self.linear.device, dtype=self.linear.dtype)
        back = small_inverse(eye + self.linear)
        return AffineField(back - eye, -(back @ self.shift[..., None])[..., 0])

    def finer(self, times: float = 2.0) -> AffineField:
        """The same map in voxels of a level of so many times the resolution."""
        return AffineField(self.linear, times * self.shift)

    def field(self, shape: Shape) -> Batch:
        """Its displacements on a grid (b, D, *shape), in voxels of that level."""
        places = _places(shape, self.linear)
        moved = torch.einsum("bij,jn->bin", self.linear, places) + self.shift[..., None]
        return moved.view(*moved.shape[:2], *shape)

    def matrix(self, shape: Shape) -> Float[Tensor, "b d columns"]:
        """(b, D, D+1), voxel -> voxel of a grid."""
        middle = torch.stack([self.linear.new_full((), (n - 1) / 2) for n in shape])
        eye = torch.eye(len(shape), device=self.linear.device, dtype=self.linear.dtype)
        return torch.cat([eye + self.linear, (self.shift - self.linear @ middle)[..., None]], dim=2)


def fitted(displacement: Batch, weight: Batch) -> AffineField:
    """The affine map that fits displacements best in the sense of weighted least squares, a little stiffened.

    Args:
        displacement: (b, D, *shape) voxels.
        weight: (b, 1, *shape), above 0.
    """
    with torch.autocast(displacement.device.type, enabled=False):
        shape = tuple(displacement.shape[2:])
        size = max(max(shape) / 2, 1.0)
        places, moved = _places(shape, displacement) / size, displacement.flatten(2)
        share = (weight / weight.sum(dim=tuple(range(2, weight.ndim)), keepdim=True)).flatten(2)
        middle, shift = (share * places).sum(dim=2), (share * moved).sum(dim=2)
        weighted = share * (places - middle[:, :, None])
        stiff = STIFFNESS * torch.eye(len(shape), device=share.device, dtype=share.dtype)
        linear = (moved @ weighted.mT) @ small_inverse(weighted @ places.T + stiff)
        return AffineField(linear / size, shift - (linear @ middle[..., None])[..., 0])


def small_inverse(m: Float[Tensor, "b d d"]) -> Float[Tensor, "b d d"]:
    """The inverse of 2 x 2 or 3 x 3 matrices by their cofactors: nothing waits for a device, as it does in LAPACK."""
    if m.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(-1) for row in m.unbind(-2))
        flat, one = torch.stack([d, -b, -c, a], dim=-1), a * d - b * c
        return flat.view(m.shape) / one[..., None, None]
    first, second, third = m.unbind(-2)
    columns = [torch.linalg.cross(second, third), torch.linalg.cross(third, first), torch.linalg.cross(first, second)]
    determinant: Tensor = (first * columns[0]).sum(dim=-1)
    return torch.stack(columns, dim=-1) / determinant[..., None, None]


def _places(shape: Sequence[int], like: Tensor) -> Float[Tensor, "d n"]:
    """Voxels of a grid from its middle, (D, n)."""
    axes = [torch.arange(n, device=like.device, dtype=like.dtype) - (n - 1) / 2 for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)

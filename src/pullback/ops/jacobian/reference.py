"""`jacobian`, defined in torch."""

import torch

from pullback.typing import Float, Tensor


def derivative(image: Float[Tensor, "b c *spatial"], axis: int) -> Float[Tensor, "b c *spatial"]:
    """The change of `image` from voxel to voxel along a spatial axis; 0 is the first."""
    along = axis + 2
    if image.shape[along] == 1:
        return 0 * image
    return torch.gradient(image, dim=along)[0]


def jacobian(displacement: Float[Tensor, "b d *spatial"], mix: Float[Tensor, "d d"]) -> Float[Tensor, "b *spatial"]:
    """See `pullback.ops.jacobian`."""
    d = displacement.shape[1]
    in_voxels = torch.einsum("ij,bj...->bi...", mix.to(displacement), displacement)
    unit = torch.eye(d, dtype=in_voxels.dtype, device=in_voxels.device).view(d, d, *[1] * d)
    edges = [derivative(in_voxels, axis) + unit[axis] for axis in range(d)]  # where one voxel step along each axis goes
    if d == 2:
        return edges[0][:, 0] * edges[1][:, 1] - edges[0][:, 1] * edges[1][:, 0]
    normal: Tensor = torch.linalg.cross(edges[1], edges[2], dim=1)
    return (edges[0] * normal).sum(dim=1)

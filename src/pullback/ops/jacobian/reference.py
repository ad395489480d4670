"""`jacobian`, defined in torch."""

import torch

from pullback.typing import Batch, Float, Matrix, Tensor


def derivative(image: Batch, axis: int) -> Batch:
    """d image / d voxel along a spatial axis (0 is the first), same shape."""
    along = axis + 2
    if image.shape[along] == 1:
        return torch.zeros_like(image)
    return torch.gradient(image, dim=along)[0]


def jacobian(displacement: Batch, mix: Matrix) -> Float[Tensor, "b *spatial"]:
    """See `pullback.ops.jacobian`."""
    d = displacement.shape[1]
    in_voxels = torch.einsum("ij,bj...->bi...", mix.to(displacement), displacement)
    columns = [derivative(in_voxels, axis) for axis in range(d)]
    matrix = torch.stack(columns, dim=-1).movedim(1, -2)  # (b, *shape, component, axis)
    return torch.linalg.det(matrix + torch.eye(d, dtype=matrix.dtype, device=matrix.device))

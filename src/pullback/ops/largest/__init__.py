"""The length of the longest vector of a field: how far a step moves anything."""

import torch

from pullback.ops import _dispatch
from pullback.typing import Float, Tensor


def largest(field: Float[Tensor, "d *spatial"]) -> float:
    """The largest Euclidean norm over all voxels, in the field's own unit.

    Args:
        field: (D, *shape), one vector at every voxel.

    Returns:
        A number; not differentiable.
    """
    return float(_dispatch.choose("largest", field)(field))


def longest(field: Float[Tensor, "d *spatial"]) -> Float[Tensor, ""]:
    """The same number as a tensor on the field's device, for which the program need not wait."""
    return torch.as_tensor(_dispatch.choose("largest", field)(field), device=field.device)

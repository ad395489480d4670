"""Weighted means over voxels."""

from pullback.typing import Batch, Float, Tensor

LEAST = 1e-6
"""The least total weight that is divided by."""


def weighted_mean(values: Batch, weight: Batch | None) -> Float[Tensor, "b c"]:
    """Mean over the voxels of each channel of each image; 0 where nothing has any weight."""
    if weight is None:
        return values.flatten(2).mean(dim=2)
    total = weight.flatten(2).sum(dim=2).clamp(min=LEAST)
    return (values * weight).flatten(2).sum(dim=2) / total

"""`lncc`, defined in torch: box sums by running totals, so that the cost does not grow with the radius."""

import torch

from pullback.typing import Batch, Float, Shape, Tensor

FLOOR = 1e-5
"""Added to the product of the variances, of images scaled to about [0, 1]: flat boxes count as unrelated."""


def lncc(fixed: Batch, warped: Batch, radius: Shape, weight: Batch | None) -> Float[Tensor, "b"]:
    """See `pullback.ops.lncc`."""
    weight = torch.ones_like(fixed[:1, :1]) if weight is None else weight
    level = fixed.mean()
    i, j = fixed - level, warped - level  # running totals of large numbers lose digits
    n = box_sum(weight, radius).clamp(min=1e-6)
    mean_i, mean_j = box_sum(weight * i, radius) / n, box_sum(weight * j, radius) / n
    cov = box_sum(weight * i * j, radius) / n - mean_i * mean_j
    var_i = (box_sum(weight * i * i, radius) / n - mean_i**2).clamp(min=0)
    var_j = (box_sum(weight * j * j, radius) / n - mean_j**2).clamp(min=0)
    squared = cov * cov.abs() / (var_i * var_j + FLOOR**2)
    axes = tuple(range(1, squared.ndim))
    total = (weight * squared).sum(dim=axes) / (weight.sum(dim=axes) * fixed.shape[1]).clamp(min=1e-6)
    return 1 - total


def box_sum(image: Batch, radius: Shape) -> Batch:
    """Sum over the box of 2 r + 1 voxels around each voxel, cut off at the border."""
    for axis, r in enumerate(radius, start=2):
        n = image.shape[axis]
        if r > 0 and n > 1:
            running = torch.nn.functional.pad(image.movedim(axis, -1).cumsum(dim=-1), (1, 0))
            at = torch.arange(n, device=image.device)
            box = running[..., (at + r + 1).clamp(max=n)] - running[..., (at - r).clamp(min=0)]
            image = box.movedim(-1, axis)
    return image

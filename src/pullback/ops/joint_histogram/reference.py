"""`joint_histogram`, defined in torch: four weighted scatters, one for each bin that the spline reaches."""

import torch

from pullback.ops._precision import finest
from pullback.ops.sample.bspline import weights
from pullback.typing import Batch, Float, Tensor


def joint_histogram(fixed: Batch, warped: Batch, bins: int, weight: Batch | None) -> Float[Tensor, "b {bins} {bins}"]:
    """See `pullback.ops.joint_histogram`."""
    counts = torch.ones_like(warped[:1]) if weight is None else weight.to(warped)
    batch = max(len(fixed), len(warped), len(counts))
    fixed, warped, counts = (x.expand(batch, *x.shape[1:]).flatten(1) for x in (fixed, warped, counts))
    row = (fixed.nan_to_num(0).clamp(0, 1) * (bins - 1) + 0.5).floor().long()
    position = warped.nan_to_num(0).clamp(0, 1) * (bins - 3) + 1  # the spline reaches one bin below and two above
    base = position.detach().floor().clamp(max=bins - 3)
    spread = weights(position - base)
    counter = finest(warped.device)  # in single precision one voxel is lost on a count of millions
    histogram = torch.zeros(batch, bins * bins, dtype=counter, device=warped.device)
    for k in range(4):
        histogram = histogram.scatter_add(1, row * bins + base.long() + (k - 1), (spread[k] * counts).to(counter))
    histogram = histogram / counts.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return histogram.view(batch, bins, bins).to(warped.dtype)

"""CorrelationRatio: how much of the warped image's brightness a function of the fixed one's would explain."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Batch, Float, Tensor

FLOOR = 1e-5
"""A variance that is added to both, so that a flat warped image is unlike all."""


@dataclass(frozen=True)
class CorrelationRatio(Similarity):
    """E[Var(warped | fixed)] / Var(warped): 0 where the one is a function of the other, 1 where that tells nothing.

    For different contrasts where each brightness of the fixed image means one of the warped one, not the other way
    round: take the image that shows more tissues apart as the fixed one. It stands between `NCC`, which knows only
    straight lines, and `MutualInformation`, which needs more voxels to fill its bins. Roche et al., MICCAI 1998, LNCS
    1496. Computed from `ops.joint_histogram`, whose spline keeps means and adds a known variance, which is taken off.
    Channels are compared one by one.

    Attributes:
        bins: into how many shades the fixed image is sorted.
    """

    bins: int = 32

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        channels = range(fixed.shape[1])
        losses = [self._loss(fixed[:, c : c + 1], warped[:, c : c + 1], weight) for c in channels]
        return torch.stack(losses).mean(dim=0)

    def _loss(self, fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
        """The loss of images of one channel."""
        joint = ops.joint_histogram(fixed, warped, self.bins, weight)
        step = 1 / (self.bins - 3)
        value = (torch.arange(self.bins, device=joint.device, dtype=joint.dtype) - 1) * step - 0.5
        shades, sums = joint.sum(dim=2), joint @ value
        mean = sums.sum(dim=1)
        whole = (joint.sum(dim=1) @ value.square() - mean.square() - step**2 / 3).clamp(min=0)
        explained = (sums.square() / shades.clamp(min=1e-12)).sum(dim=1) - mean.square()
        return ((whole - explained).clamp(min=0) + FLOOR) / (whole + FLOOR)

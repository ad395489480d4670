"""Mutual information: how well the intensities of one image predict those of the other."""

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class MutualInformation(Similarity):
    """1 - 2 I / (H_fixed + H_warped): for images of different contrast, where tissues correspond but not brightness.

    The normalised form grows with Studholme's NMI (Pattern Recognition 32(1), 1999), which does not reward a small
    overlap; the histogram is Mattes' (see `ops.joint_histogram`), whose spline leaves even identical images somewhat
    above 0. Channels are compared one by one.

    Attributes:
        bins: bins of the joint histogram for each image.
        normalised: False minimises -I, shifted by the fixed image's entropy so that 0 stays perfect.
    """

    bins: int = 32
    normalised: bool = True

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        channels = range(fixed.shape[1])
        losses = [self._loss(fixed[:, c : c + 1], warped[:, c : c + 1], weight) for c in channels]
        return torch.stack(losses).mean(dim=0)

    def _loss(self, fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
        """The loss of images of one channel."""
        joint = ops.joint_histogram(fixed, warped, self.bins, weight)
        h_fixed, h_warped = _entropy(joint.sum(dim=2)), _entropy(joint.sum(dim=1))
        information = h_fixed + h_warped - _entropy(joint.flatten(1))
        if self.normalised:
            return 1 - 2 * information / (h_fixed + h_warped).clamp(min=1e-6)
        return h_fixed - information


def _entropy(p: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    return -(p * torch.log(p.clamp(min=1e-12))).sum(dim=1)

"""Mutual information: how well the intensities of one image predict those of the other."""

from dataclasses import dataclass

from pullback.energy.similarity.by_entropies import ByEntropies
from pullback.energy.similarity.entropies import Entropies
from pullback.typing import Float, Tensor


@dataclass(frozen=True)
class MutualInformation(ByEntropies):
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

    def made_of(self, found: Entropies) -> Float[Tensor, " b"]:
        """See `ByEntropies`."""
        if self.normalised:
            loss = 1 - 2 * found.information / (found.fixed + found.warped).clamp(min=1e-6)
        else:
            loss = found.fixed - found.information
        return loss.mean(dim=1)

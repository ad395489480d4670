"""MattesMutualInformation: mutual information as it stands, under its usual name."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.energy.similarity.by_entropies import ByEntropies
from pullback.energy.similarity.entropies import Entropies
from pullback.typing import Float, Tensor


@dataclass(frozen=True)
class MattesMutualInformation(ByEntropies):
    """H(fixed) - I(fixed; warped), in nats: what ITK, ANTs and elastix call Mattes mutual information, shifted to 0.

    The same as `MutualInformation(normalised=False)`. It grows with the overlap's variety: where the images meet only
    in part, a normalised form is safer. Mattes et al., IEEE Transactions on Medical Imaging 22(1), 2003; see
    `ops.joint_histogram`, whose spline leaves even identical images somewhat above 0.

    Attributes:
        bins: bins of the joint histogram for each image.
    """

    bins: int = 32

    def made_of(self, found: Entropies) -> Float[Tensor, " b"]:
        """See `ByEntropies`."""
        return (found.fixed - found.information).mean(dim=1)

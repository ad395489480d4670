"""MattesMutualInformation: mutual information as it stands, under its usual name."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.energy.similarity.entropies import Entropies, entropies, entropies_read
from pullback.energy.similarity.similarity import Similarity
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class MattesMutualInformation(Similarity):
    """H(fixed) - I(fixed; warped), in nats: what ITK, ANTs and elastix call Mattes mutual information, shifted to 0.

    The same as `MutualInformation(normalised=False)`. It grows with the overlap's variety: where the images meet only
    in part, a normalised form is safer. Mattes et al., IEEE Transactions on Medical Imaging 22(1), 2003; see
    `ops.joint_histogram`, whose spline leaves even identical images somewhat above 0.

    Attributes:
        bins: bins of the joint histogram for each image.
    """

    bins: int = 32

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return self._of(entropies(fixed, warped, self.bins, weight)).to(warped.device)

    def loss_inside(
        self, fixed: Batch, moving: Batch, where: Reading, weight: Batch | None = None
    ) -> Float[Tensor, " b"] | None:
        """See `Similarity`."""
        found = entropies_read(fixed, moving, where, self.bins, weight)
        return None if found is None else self._of(found)

    def _of(self, found: Entropies) -> Float[Tensor, " b"]:
        return (found.fixed - found.information).mean(dim=1)

"""NormalisedMutualInformation: Studholme's form."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.energy.similarity.entropies import Entropies, entropies, entropies_read
from pullback.energy.similarity.similarity import Similarity
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class NormalisedMutualInformation(Similarity):
    """2 - (H(fixed) + H(warped)) / H(fixed, warped), between 0 and 1: Studholme's, which a small overlap does not win.

    Studholme, Hill & Hawkes, Pattern Recognition 32(1), 1999. `MutualInformation` grows and falls with it, and is
    twice as steep near 0.

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
        return (1 - found.information / found.joint.clamp(min=1e-6)).mean(dim=1)

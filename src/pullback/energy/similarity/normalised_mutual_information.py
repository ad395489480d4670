"""NormalisedMutualInformation: Studholme's form."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.energy.similarity.by_entropies import ByEntropies
from pullback.energy.similarity.entropies import Entropies
from pullback.typing import Float, Tensor


@dataclass(frozen=True)
class NormalisedMutualInformation(ByEntropies):
    """2 - (H(fixed) + H(warped)) / H(fixed, warped), between 0 and 1: Studholme's, which a small overlap does not win.

    Studholme, Hill & Hawkes, Pattern Recognition 32(1), 1999. `MutualInformation` grows and falls with it, and is
    twice as steep near 0.

    Attributes:
        bins: bins of the joint histogram for each image.
    """

    bins: int = 32

    def made_of(self, found: Entropies) -> Float[Tensor, " b"]:
        """See `ByEntropies`."""
        return (1 - found.information / found.joint.clamp(min=1e-6)).mean(dim=1)

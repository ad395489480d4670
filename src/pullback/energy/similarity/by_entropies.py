"""ByEntropies: what every measure made of entropies shares: where they come from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from pullback.energy.similarity.entropies import Entropies, entropies, entropies_read
from pullback.energy.similarity.similarity import Similarity
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class ByEntropies(Similarity):
    """A number made of the entropies of both images, each alone and together.

    Attributes:
        bins: bins of the joint histogram for each image.
    """

    bins: int = 32

    @abstractmethod
    def made_of(self, found: Entropies) -> Float[Tensor, " b"]:
        """The loss, the mean over the channels."""

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return self.made_of(entropies(fixed, warped, self.bins, weight)).to(warped.device)

    def loss_inside(
        self, fixed: Batch, moving: Batch, where: Reading, weight: Batch | None = None
    ) -> Float[Tensor, " b"] | None:
        """See `Similarity`."""
        found = entropies_read(fixed, moving, where, self.bins, weight)
        return None if found is None else self.made_of(found)

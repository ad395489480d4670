"""MSE: mean squared difference."""

from dataclasses import dataclass

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Float, Tensor

MANY = 4
"""Channels that are worth comparing as they are read, without a warped image."""


@dataclass(frozen=True)
class MSE(Similarity):
    """mean((warped - fixed)^2): for images of one scanner and sequence, where a tissue has one brightness."""

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return ops.mse(fixed, warped, weight)

    def loss_read(
        self, fixed: Batch, moving: Batch, where: Reading, weight: Batch | None = None
    ) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        if fixed.shape[1] < MANY:
            return super().loss_read(fixed, moving, where, weight)
        return ops.sampled_mse(fixed, moving, *where, weight)

    def arranged(self, image: Batch) -> Batch:
        """See `Similarity`: many channels side by side."""
        return image if image.shape[1] < MANY else ops.abreast(image)

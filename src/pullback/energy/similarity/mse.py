"""MSE: mean squared difference."""

from dataclasses import dataclass

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class MSE(Similarity):
    """mean((warped - fixed)^2): for images of one scanner and sequence, where a tissue has one brightness."""

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return ops.mse(fixed, warped, weight)

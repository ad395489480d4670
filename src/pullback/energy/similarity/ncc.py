"""NCC: normalised cross-correlation over the whole image."""

from dataclasses import dataclass
from typing import ClassVar

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class NCC(Similarity):
    """1 - cov(fixed, warped) / (sd sd): for one sequence whose brightness and contrast were scaled in between.

    0 is perfect, 1 is no relation, 2 is perfect opposition. Each channel may have its own scaling.
    """

    unrelated: ClassVar[float] = 1.0

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return ops.ncc(fixed, warped, weight)

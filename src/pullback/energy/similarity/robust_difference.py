"""RobustDifference: a mean of differences in which a few large ones do not have the say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from pullback.energy.similarity.similarity import Similarity
from pullback.ops._mean import weighted_mean
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class RobustDifference(Similarity):
    """mean rho(warped - fixed): `MSE` for small differences, less for large ones, such as a lesion in one image only.

    With t the threshold, every rho(r) is about r^2 well below it. huber: 2 t |r| - t^2 above it (Huber, Annals of
    Mathematical Statistics 35(1), 1964), whose pull stays the same. geman-mcclure: r^2 t^2 / (r^2 + t^2) (Geman &
    McClure, Bulletin of the International Statistical Institute 52(4), 1987), whose pull fades. tukey: t^2 / 3
    (1 - (1 - r^2/t^2)^3) up to it and t^2 / 3 above (Beaton & Tukey, Technometrics 16(2), 1974): what differs by more
    does not pull at all. The more a penalty forgives, the nearer the images must be at the start.

    Attributes:
        penalty: huber, geman-mcclure or tukey.
        threshold: the difference that begins to count as an outlier, in parts of the brightness range (0 to 1).
    """

    penalty: Literal["huber", "geman-mcclure", "tukey"] = "huber"
    threshold: float = 0.1

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return weighted_mean(self._rho((warped - fixed).square()), weight).mean(dim=1)

    def _rho(self, square: Batch) -> Batch:
        """Of the squared differences."""
        t2 = self.threshold**2
        if self.penalty == "geman-mcclure":
            return square * t2 / (square + t2)
        if self.penalty == "tukey":
            return t2 / 3 * (1 - (1 - square / t2).clamp(min=0) ** 3)
        far = square > t2
        return torch.where(far, 2 * self.threshold * torch.where(far, square, t2).sqrt() - t2, square)

"""LandmarkDistance: how far landmarks are carried past their partners."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Float, Tensor


@dataclass(frozen=True)
class LandmarkDistance(Similarity):
    """The mean over landmarks of (|T(p) - q| / sigma)^2, with p in the fixed image and q its place in the moving one.

    It needs landmarks beside the images (`register(..., landmarks=...)`). Those of experts are some mm apart, so that
    the loss should be one term among others: a weight of 0.001 to 0.01 beside LNCC lets both speak. Beyond `threshold`
    the square goes on as a straight line (Huber), so that a landmark that was mixed up does not pull the harder.

    Rohr et al., IEEE Transactions on Medical Imaging 20(6), 2001, on landmarks with errors.

    Attributes:
        sigma_mm: how far off a landmark may be for its loss to be 1; for those that came without a sigma of their own.
        threshold: in sigmas, where the square becomes a line; null for squares all the way.
    """

    sigma_mm: float = 1.0
    threshold: float | None = None

    def loss(
        self,
        fixed: Float[Tensor, "b d n"],
        warped: Float[Tensor, "b d n"],
        weight: Float[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, " b"]:
        """The loss of each set of landmarks of the batch.

        Args:
            fixed: where the landmarks lie in the moving image, mm; what stays as the transform changes.
            warped: where the transform carries those of the fixed image, mm.
            weight: how much each counts; all alike by default.
        """
        square = ((warped - fixed) / self.sigma_mm).square().sum(dim=1)
        if self.threshold is not None:
            far = square > self.threshold**2
            line = 2 * self.threshold * torch.where(far, square, 1.0).sqrt() - self.threshold**2
            square = torch.where(far, line, square)
        if weight is None:
            return square.mean(dim=1)
        return (square * weight[:, 0]).sum(dim=1) / weight[:, 0].sum(dim=1).clamp(min=1e-6)

"""NCC: normalised cross-correlation over the whole image."""

from dataclasses import dataclass

import torch

from pullback.energy.similarity.similarity import Similarity, weighted_mean
from pullback.typing import Batch, Float, Tensor

FLOOR = 1e-8


@dataclass(frozen=True)
class NCC(Similarity):
    """1 - cov(fixed, warped) / (sd sd): for one sequence whose brightness and contrast were scaled in between."""

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, "b"]:
        """See `Similarity`."""
        i = fixed - _mean(fixed, weight)
        j = warped - _mean(warped, weight)
        cov, var_i, var_j = (weighted_mean(p, weight) for p in (i * j, i * i, j * j))
        return 1 - cov / torch.sqrt(var_i * var_j + FLOOR**2)


def _mean(image: Batch, weight: Batch | None) -> Batch:
    return weighted_mean(image, weight).view(-1, *[1] * (image.ndim - 1))

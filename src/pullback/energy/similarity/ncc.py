"""NCC: normalised cross-correlation over the whole image."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from pullback.energy.similarity.similarity import Similarity, weighted_mean
from pullback.typing import Batch, Float, Tensor

FLOOR = 1e-8
"""Its square is added to the product of the variances, so that a constant image is unrelated to every other."""


@dataclass(frozen=True)
class NCC(Similarity):
    """1 - cov(fixed, warped) / (sd sd): for one sequence whose brightness and contrast were scaled in between.

    0 is perfect, 1 is no relation, 2 is perfect opposition. Each channel may have its own scaling.
    """

    unrelated: ClassVar[float] = 1.0

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        i, j = _centred(fixed, weight), _centred(warped, weight)
        cov, var_i, var_j = (weighted_mean(p, weight) for p in (i * j, i * i, j * j))
        return (1 - cov / torch.sqrt(var_i * var_j + FLOOR**2)).mean(dim=1)


def _centred(image: Batch, weight: Batch | None) -> Batch:
    """The image minus the mean of each of its channels."""
    mean = weighted_mean(image, weight)
    return image - mean.view(*mean.shape, *[1] * (image.ndim - 2))

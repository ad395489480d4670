"""`ncc`, defined in torch."""

import torch

from pullback.ops._mean import weighted_mean
from pullback.typing import Batch, Float, Tensor

FLOOR = 1e-8
"""Its square is added to the product of the variances, so that a constant image is unrelated to every other."""


def ncc(fixed: Batch, warped: Batch, weight: Batch | None) -> Float[Tensor, " b"]:
    """See `pullback.ops.ncc`."""
    i, j = _centred(fixed, weight), _centred(warped, weight)
    cov, var_i, var_j = (weighted_mean(p, weight) for p in (i * j, i * i, j * j))
    return (1 - cov / torch.sqrt(var_i * var_j + FLOOR**2)).mean(dim=1)


def _centred(image: Batch, weight: Batch | None) -> Batch:
    """The image minus the mean of each of its channels."""
    mean = weighted_mean(image, weight)
    return image - mean.view(*mean.shape, *[1] * (image.ndim - 2))

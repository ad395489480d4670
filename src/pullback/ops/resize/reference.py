"""`resize`, defined in torch."""

import math

import torch

from pullback.ops.sample import sample
from pullback.ops.smooth import smooth
from pullback.typing import Float, Shape, Tensor


def resize(image: Float[Tensor, "b c *spatial"], shape: Shape) -> Float[Tensor, "b c *shape"]:
    """See `pullback.ops.resize`."""
    size = image.shape[2:]
    if tuple(size) == shape:
        return image
    factors = [old / new for old, new in zip(size, shape, strict=True)]
    image = smooth(image, [0.5 * math.sqrt(max(f * f - 1, 0.0)) for f in factors])
    matrix = torch.zeros(len(shape), len(shape) + 1, dtype=torch.float64)
    for axis, factor in enumerate(factors):
        matrix[axis, axis], matrix[axis, -1] = factor, (factor - 1) / 2
    return sample(image, matrix, shape=shape)

"""`mind`, defined in torch."""

import torch

from pullback.ops.lncc.reference import box_sum
from pullback.ops.mind import Pairs
from pullback.typing import Batch, Shape, Tensor

LEAST, MOST = 1e-3, 1e3
"""The local noise is held within these multiples of its mean over the image."""
TINY = 1e-20
"""What stands for the noise of a constant image, so that 0 / 0 is 0."""


def mind(image: Batch, radius: Shape, pairs: Pairs) -> Batch:
    """See `pullback.ops.mind`."""
    size = image.shape[2:]
    count = box_sum(torch.ones_like(image[:1, :1]), radius)
    apart = [box_sum((_moved(image, a) - _moved(image, b)) ** 2, radius) / count for a, b in pairs]
    distance = torch.stack(apart, dim=2)  # (b, c, pairs, *size)
    distance = distance - distance.amin(dim=2, keepdim=True)
    noise = distance.mean(dim=2, keepdim=True)
    usual = noise.mean(dim=tuple(range(3, noise.ndim)), keepdim=True)
    noise = torch.minimum(torch.maximum(noise, LEAST * usual), MOST * usual).clamp(min=TINY)
    return torch.exp(-distance / noise).flatten(1, 2).reshape(len(image), -1, *size)


def _moved(image: Batch, offset: Shape) -> Tensor:
    """The image at v + offset for every voxel v, its edge repeated."""
    for axis, by in enumerate(offset, start=2):
        if by != 0:
            n = image.shape[axis]
            reads = (torch.arange(n, device=image.device) + by).clamp(0, n - 1)
            image = image.index_select(axis, reads)
    return image

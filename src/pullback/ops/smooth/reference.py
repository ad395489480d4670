"""`smooth`, defined in torch: each axis in turn, by a Gaussian cut off at three standard deviations."""

import math
from functools import lru_cache

import torch

from pullback.ops._lines import along
from pullback.typing import Float, Tensor

CUT = 3.0


def gaussian(sigma: float) -> list[float]:
    """Weights of a Gaussian sampled at whole voxels, from -radius to radius, summing to one."""
    radius = max(1, math.ceil(CUT * sigma))
    raw = [math.exp(-0.5 * (k / sigma) * (k / sigma)) for k in range(-radius, radius + 1)]
    return [w / sum(raw) for w in raw]


@lru_cache(maxsize=64)
def smoothing_matrix(n: int, sigma: float) -> Float[Tensor, "n n"]:
    """Float64: what the Gaussian makes of a line of n voxels whose ends are repeated for ever."""
    weights = torch.tensor(gaussian(sigma), dtype=torch.float64)
    radius = len(weights) // 2
    reads = torch.arange(n)[:, None] + torch.arange(-radius, radius + 1)
    matrix = torch.zeros(n, n, dtype=torch.float64)
    return matrix.scatter_add(1, reads.clamp(0, n - 1), weights.expand(n, -1))


def smooth(image: Float[Tensor, "b c *spatial"], sigmas: tuple[float, ...]) -> Float[Tensor, "b c *spatial"]:
    """See `pullback.ops.smooth`."""
    for axis, sigma in enumerate(sigmas, start=2):
        if sigma > 0 and image.shape[axis] > 1:
            image = along(smoothing_matrix(image.shape[axis], sigma), image, axis)
    return image

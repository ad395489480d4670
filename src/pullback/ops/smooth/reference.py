"""`smooth`, defined in torch: one 1-D convolution per axis with a Gaussian cut off at three standard deviations."""

import math

import torch
import torch.nn.functional as F

from pullback.typing import Batch, Tensor

CUT = 3.0


def gaussian(sigma: float) -> list[float]:
    """Weights of a Gaussian sampled at whole voxels, from -radius to radius, summing to one."""
    radius = max(1, math.ceil(CUT * sigma))
    raw = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    return [w / sum(raw) for w in raw]


def smooth(image: Batch, sigmas: tuple[float, ...]) -> Batch:
    """See `pullback.ops.smooth`."""
    for axis, sigma in enumerate(sigmas, start=2):
        if sigma > 0 and image.shape[axis] > 1:
            image = _along(image, axis, torch.tensor(gaussian(sigma), dtype=image.dtype, device=image.device))
    return image


def _along(image: Batch, axis: int, weights: Tensor) -> Batch:
    radius = len(weights) // 2
    lines = image.movedim(axis, -1)
    padded = F.pad(lines.reshape(-1, 1, lines.shape[-1]), (radius, radius), mode="replicate")
    return F.conv1d(padded, weights[None, None]).reshape(lines.shape).movedim(-1, axis)

"""How the spline of `ffd` changes at any positions."""

import torch

from pullback.ops.ffd_sample.reference import around, parts, weigh
from pullback.typing import Float, Tensor


def ffd_slopes(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> Float[Tensor, "n c d"]:
    """The derivatives of `ffd_points` along each axis of the control grid."""
    slopes = []
    for part in parts(at):
        near, t = around(coefficients, part)
        slopes.append(torch.stack([weigh(near, t, axis) for axis in range(at.shape[1])], dim=-1))
    return torch.cat(slopes)

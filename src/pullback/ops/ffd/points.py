"""The spline of `ffd` at any positions, and how it changes there."""

import math

import torch

from pullback.ops.sample import bspline
from pullback.typing import Float, Tensor

AT_ONCE = 1 << 16
"""Points whose control points are gathered together: 64 vectors each."""


def ffd_points(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """The spline at positions in steps of the control grid; differentiable in coefficients and positions.

    Beyond the control grid its edge is repeated, and a position that is not a number reads the first control point.
    """
    return torch.cat([_weigh(*_around(coefficients, part)) for part in _parts(at)])


def ffd_slopes(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> Float[Tensor, "n c d"]:
    """The derivatives of `ffd_points` along each axis of the control grid."""
    slopes = []
    for part in _parts(at):
        near, t = _around(coefficients, part)
        slopes.append(torch.stack([_weigh(near, t, axis) for axis in range(at.shape[1])], dim=-1))
    return torch.cat(slopes)


def _parts(at: Float[Tensor, "n d"]) -> tuple[Tensor, ...]:
    return torch.split(at, AT_ONCE) if len(at) else (at,)


def _around(coefficients: Tensor, at: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
    """The coefficients around each position, (c, n, 4, ... 4), and where it lies in its cell, (n, d) in [0, 1)."""
    control = coefficients.shape[1:]
    high = torch.tensor([m + 2 for m in control]).to(at)
    at = torch.minimum(at.nan_to_num(0).clamp(min=-3), high)  # farther out nothing changes any more
    cell = at.detach().floor()
    index = torch.zeros(len(at), *[1] * len(control), dtype=torch.long, device=at.device)
    for axis, m in enumerate(control):
        reads = (cell[:, axis, None].long() + torch.arange(-1, 3, device=at.device)).clamp(0, m - 1)
        index = index * m + reads.view(len(at), *[4 if a == axis else 1 for a in range(len(control))])
    near = coefficients.reshape(len(coefficients), math.prod(control))[:, index.flatten()]
    return near.view(len(coefficients), *index.shape), at - cell


def _weigh(near: Tensor, t: Float[Tensor, "n d"], derive: int | None = None) -> Float[Tensor, "n c"]:
    """The weighted sum of what is around; with `derive`, of its derivative along that axis."""
    for axis in reversed(range(t.shape[1])):
        four = (_changes if axis == derive else bspline.weights)(t[:, axis])
        near = (near * four.T.view(1, len(t), *[1] * axis, 4)).sum(dim=-1)
    return near.T


def _changes(t: Float[Tensor, " n"]) -> Float[Tensor, "4 n"]:
    """The derivatives of the four weights."""
    return torch.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, 1 + 2 * t - 3 * t**2, t**2]) / 2

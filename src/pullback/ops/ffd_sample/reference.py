"""`ffd_sample`, defined in torch: the control points around each place are gathered and weighted."""

import math

import torch

from pullback.ops.sample import bspline
from pullback.ops.sample.reference import positions
from pullback.typing import Batch, Float, Matrix, Shape, Tensor

AT_ONCE = 1 << 16
"""Places whose control points are gathered together: 64 vectors each."""
MORE = 1 << 19
"""The same on a GPU, which takes as long to start on a few as on many."""


def ffd_sample(coefficients: Batch, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape) -> Batch:
    """See `pullback.ops.ffd_sample`."""
    given = positions(matrix, displacement, mix, shape, coefficients.device).to(coefficients.dtype)
    batch = max(len(coefficients), len(given))
    coefficients, given = coefficients.expand(batch, *coefficients.shape[1:]), given.expand(batch, *given.shape[1:])
    found = [_at(one, at.flatten(1).T) for one, at in zip(coefficients, given, strict=True)]
    return torch.stack([values.T.reshape(coefficients.shape[1], *shape) for values in found])


def _at(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    return torch.cat([weigh(*around(coefficients, part)) for part in parts(at)])


def parts(at: Float[Tensor, "n d"]) -> tuple[Tensor, ...]:
    """The places, no more than so many together."""
    return torch.split(at, AT_ONCE if at.device.type == "cpu" else MORE) if len(at) else (at,)


def around(coefficients: Float[Tensor, "c *control"], at: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
    """The coefficients around each position, (c, n, 4, ... 4), and where it lies in its cell, (n, d) in [0, 1)."""
    control = coefficients.shape[1:]
    high = torch.tensor(control).to(at)
    at = torch.minimum(at.nan_to_num(-1).clamp(min=-1), high)  # farther out nothing changes any more
    cell = at.detach().floor()
    index = torch.zeros(len(at), *[1] * len(control), dtype=torch.long, device=at.device)
    for axis, m in enumerate(control):
        reads = (cell[:, axis, None].long() + torch.arange(-1, 3, device=at.device)).clamp(0, m - 1)
        index = index * m + reads.view(len(at), *[4 if a == axis else 1 for a in range(len(control))])
    near = coefficients.reshape(len(coefficients), math.prod(control))[:, index.flatten()]
    return near.view(len(coefficients), *index.shape), at - cell


def weigh(near: Tensor, t: Float[Tensor, "n d"], derive: int | None = None) -> Float[Tensor, "n c"]:
    """The weighted sum of what is around; with `derive`, of its derivative along that axis."""
    for axis in reversed(range(t.shape[1])):
        four = (_changes if axis == derive else bspline.weights)(t[:, axis])
        near = (near * four.T.view(1, len(t), *[1] * axis, 4)).sum(dim=-1)
    return near.T


def _changes(t: Float[Tensor, " n"]) -> Float[Tensor, "4 n"]:
    """The derivatives of the four weights."""
    return torch.stack([-((1 - t) ** 2), 3 * t**2 - 4 * t, 1 + 2 * t - 3 * t**2, t**2]) / 2

"""flattened: an image without its slow shading, for measures that one brightness must mean one tissue to."""

from __future__ import annotations

import torch

from pullback import ops
from pullback.space import Space
from pullback.typing import Float, Tensor

SEEN = 0.02
"""Brightness, of images in [0, 1], below which a voxel is background and says nothing of shading."""
FAINTEST = 0.01
"""What is darker counts as this dark, so that logarithms end."""
STEPS = 4
"""Voxels of the coarse grid on which shading is estimated, for one width of its Gaussian."""


def flattened(
    channel: Float[Tensor, "*spatial"], space: Space, width_mm: float, counted: Tensor | None
) -> Float[Tensor, "*spatial"]:
    """A channel in [0, 1], divided by its mean brightness nearby: homomorphic filtering.

    The logarithm of brightness, where there is something, less its own Gaussian mean there (normalised convolution). An
    even tissue becomes even; so does, alas, what fills more than the width. Johnston et al., IEEE Transactions on
    Medical Imaging 15(2), 1996.

    Args:
        channel: an image.
        space: its grid.
        width_mm: sigma of the Gaussian.
        counted: which voxels may tell of shading; all that are not background if None.
    """
    there = (channel > SEEN) if counted is None else (channel > SEEN) & counted
    shape = [
        min(n, max(1, round(extent * STEPS / width_mm))) for n, extent in zip(space.shape, space.extent, strict=True)
    ]
    coarse = space.resized(shape)
    weight = there.to(channel)
    log = torch.log(channel.clamp(min=FAINTEST)) * weight
    sums = ops.resize(torch.stack([log, weight])[None], coarse.shape)
    near = ops.smooth(sums, [width_mm / mm for mm in coarse.spacing])[0]
    shading = near[0] / near[1].clamp(min=1e-4)
    matrix = (coarse.inverse @ space.matrix)[:-1]
    fine = ops.sample(shading[None, None], matrix, shape=space.shape)[0, 0]
    mean = (fine * weight).sum() / weight.sum().clamp(min=1)
    return channel * torch.exp(mean - fine)

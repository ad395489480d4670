"""Features of one image at every resolution, and how those of two images are compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from pullback.typing import Batch

SLOPE = 0.2
"""Of the leaky ReLU below zero."""


class Encoder(nn.Module):
    """An image in, features at full, half, a quarter ... of its resolution out; both images of a pair share it.

    Args:
        dimension: 2 or 3.
        channels: of an image.
        features: of each level, the finest first.
    """

    def __init__(self, dimension: int, channels: int, features: Sequence[int]) -> None:
        super().__init__()
        conv = nn.Conv2d if dimension == 2 else nn.Conv3d
        self.first = conv(channels, features[0], 3, padding=1)
        self.down, self.same = nn.ModuleList(), nn.ModuleList()
        for into, out in itertools.pairwise(features):
            self.down.append(conv(into, out, 3, stride=2, padding=1))
            self.same.append(conv(out, out, 3, padding=1))

    def forward(self, image: Batch) -> list[Batch]:
        """(b, channels, *shape) -> features of each level; the shape divides by 2 for every level but the first."""
        x = functional.leaky_relu(self.first(image), SLOPE)
        levels = [x]
        for down, same in zip(self.down, self.same, strict=True):
            x = functional.leaky_relu(down(x), SLOPE)
            x = functional.leaky_relu(x + same(x), SLOPE)
            levels.append(x)
        return levels


class Comparison(nn.Module):
    """Features of the fixed image, of the warped one and of the coarser level in, what to say about them out.

    Args:
        dimension: 2 or 3.
        features: of each image.
        coarser: channels that come from the coarser level; 0 at the coarsest.
        widths: channels of its convolutions; from the second on what a layer finds is added to what it was given, where
            both have as many.
        out: channels that it says.
        reach: correlate the features of the fixed image with those of the warped one this many voxels around; 0 leaves
            that to the convolutions.
    """

    def __init__(
        self, dimension: int, features: int, coarser: int, widths: Sequence[int], out: int, reach: int
    ) -> None:
        super().__init__()
        conv = nn.Conv2d if dimension == 2 else nn.Conv3d
        self.reach = reach
        into = 2 * features + coarser + ((2 * reach + 1) ** dimension if reach else 0)
        self.layers = nn.ModuleList()
        for width in widths:
            self.layers.append(conv(into, width, 3, padding=1))
            into = width
        self.last = conv(into, out, 3, padding=1)
        nn.init.normal_(self.last.weight, std=1e-5)  # training starts from almost no motion
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, fixed: Batch, warped: Batch, coarser: Batch | None) -> tuple[Batch, Batch]:
        """What it says, and its features for the next level."""
        parts = [fixed, warped]
        if self.reach:
            parts.append(correlation(fixed, warped, self.reach))
        if coarser is not None:
            parts.append(functional.interpolate(coarser, scale_factor=2.0, mode="nearest"))
        x = torch.cat([part.to(fixed.dtype) for part in parts], dim=1)
        for layer in self.layers:
            found = layer(x)
            x = functional.leaky_relu(x + found if x.shape == found.shape else found, SLOPE)
        return self.last(x), x


def correlation(fixed: Batch, warped: Batch, reach: int) -> Batch:
    """How alike the features of each voxel are to those of its neighbours in the other image.

    Sun et al., "PWC-Net", CVPR 2018: the mean over the channels of their product, for every shift up to the reach; here
    of features of unit length, so that a contrast that is stronger does not count more.

    Args:
        fixed: (b, c, *shape).
        warped: (b, c, *shape); 0 beyond its edge.
        reach: voxels.

    Returns:
        (b, (2 reach + 1)^D, *shape), from -1 to 1.
    """
    fixed, warped = (functional.normalize(each, dim=1) for each in (fixed, warped))
    d, shape = fixed.ndim - 2, fixed.shape[2:]
    around = functional.pad(warped, [reach] * (2 * d))
    found = []
    for start in itertools.product(range(2 * reach + 1), repeat=d):
        shifted = around
        for axis, (first, n) in enumerate(zip(start, shape, strict=True), start=2):
            shifted = shifted.narrow(axis, first, n)
        found.append((fixed * shifted).sum(dim=1))
    return torch.stack(found, dim=1)

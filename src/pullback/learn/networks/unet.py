"""UNet: the encoder-decoder on which the networks stand, for 2-D and 3-D images of any number of channels.

Ronneberger et al., MICCAI 2015, in the form of VoxelMorph (Balakrishnan et al., IEEE TMI 38(8), 2019): one 3^D
convolution with a leaky ReLU at each level, max pooling on the way down, nearest-neighbour upsampling and the encoder's
features beside it on the way up, and a few convolutions at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from pullback.errors import ModelError
from pullback.learn.networks.convolve import convolve
from pullback.learn.networks.pair_network import MOST_LEVELS, check_counts
from pullback.typing import Batch

SLOPE = 0.2
"""Of the leaky ReLU below zero."""


class UNet(nn.Module):
    """Images in, `features` channels out, at full or at half resolution.

    Args:
        dimension: 2 or 3.
        channels: of the input.
        encoder: features of each level on the way down; each level halves the resolution.
        decoder: features on the way up, one for each level; those beyond are convolutions at the end.
        half_resolution: leave the last upsampling out.

    Raises:
        ModelError: sizes that make no network.
    """

    def __init__(
        self,
        dimension: int,
        channels: int,
        encoder: Sequence[int] = (32, 32, 32),
        decoder: Sequence[int] = (32, 32, 32, 32, 16),
        half_resolution: bool = False,
    ) -> None:
        super().__init__()
        check_sizes(dimension, channels, encoder, decoder)
        conv = nn.Conv2d if dimension == 2 else nn.Conv3d
        self.half_resolution = half_resolution
        self.levels = len(encoder)
        self.down, self.up, self.final = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        last = channels
        for features in encoder:
            self.down.append(conv(last, features, 3, padding=1))
            last = features
        for level, features in enumerate(decoder[: self.levels]):
            self.up.append(conv(last, features, 3, padding=1))
            last = features + (encoder[-1 - level] if self._rises(level) else 0)
        for features in decoder[self.levels :]:
            self.final.append(conv(last, features, 3, padding=1))
            last = features
        self.features = last
        self._pool = functional.max_pool2d if dimension == 2 else functional.max_pool3d

    def forward(self, x: Batch) -> Batch:
        """(b, channels, *shape) -> (b, features, *shape), or half of it; the shape divides by 2 for every level."""
        kept = []
        for level, block in enumerate(self.down):
            x = convolve(block, x)
            if level == 0 and not self._rises(self.levels - 1):  # nobody else needs it: the largest of eight is
                x = _active(self._pool(x, 2))  # the same before and after, and there are fewer of them
                continue
            x = _active(x)
            kept.append(x)
            x = self._pool(x, 2)
        for level, block in enumerate(self.up):
            x = _active(convolve(block, x))
            if self._rises(level):
                x = torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), kept.pop()], dim=1)
        for block in self.final:
            x = _active(convolve(block, x))
        return x

    def _rises(self, level: int) -> bool:
        return level < self.levels - self.half_resolution


def _active(x: Batch) -> Batch:
    return functional.leaky_relu(x, SLOPE, inplace=True)


def check_sizes(dimension: int, channels: int, encoder: Sequence[int], decoder: Sequence[int]) -> None:
    """Refuse sizes of which no network can be built, or none that fits a memory.

    Raises:
        ModelError: says which.
    """
    if not 1 <= len(encoder) <= MOST_LEVELS or not len(encoder) <= len(decoder) <= 2 * MOST_LEVELS:
        raise ModelError(f"a U-Net needs 1 to {MOST_LEVELS} encoder levels and at least as many decoder features; got "
                         f"{tuple(encoder)} and {tuple(decoder)}")  # fmt: skip
    check_counts(dimension, (channels, *encoder, *decoder))

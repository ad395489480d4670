"""VoxelMorph: two images in, a dense displacement out.

Balakrishnan et al., "VoxelMorph: a learning framework for deformable medical image registration", IEEE TMI 38(8),
2019; with `integrate`, the diffeomorphic form of Dalca et al., Medical Image Analysis 57, 2019 (without its
uncertainty). The network sees voxels only; `pullback.learn.predict` gives it a grid and returns millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pullback.learn.networks.convolve import convolve
from pullback.learn.networks.fields import flow, padded, whole
from pullback.learn.networks.pair_network import PairNetwork, check_integrate, checked_scale
from pullback.learn.networks.prediction import Prediction
from pullback.learn.networks.unet import UNet
from pullback.typing import Batch

FIRST_FLOW = 1e-5
"""Standard deviation of the last layer's first weights: training starts from almost no motion."""


class VoxelMorph(PairNetwork):
    """A U-Net that predicts a displacement, or a velocity that is integrated to one.

    The defaults are those of the VoxelMorph tutorials: encoder 32-32-32, decoder 32-32-32-32-16, no integration. (There
    `int_downsize=2` acts only on integrated fields, so that without integration the field has full resolution.)

    Args:
        channels: of each image.
        dimension: 2 or 3.
        encoder: features of each level on the way down.
        decoder: features on the way up, then of the convolutions at the end.
        integrate: number of squarings of scaling and squaring; 0 predicts the displacement itself.
        half_resolution: predict the field at half the resolution and interpolate: faster and smoother.
        bidirectional: give the displacement from moving to fixed as well, by the opposite velocity; needs `integrate`.
        flow_scale: voxels for each unit of the last layer. Above 1 the first moves come sooner: at 10 a short training
            reaches a lower loss (see docs/methods/learned.md); 1 is the published network.

    Raises:
        ModelError: sizes that make no network, or both ways without integration.

    Example:
        >>> model = VoxelMorph(channels=1, integrate=7, half_resolution=True)
        >>> model(torch.rand(1, 1, 28, 30), torch.rand(1, 1, 28, 30)).displacement.shape
        torch.Size([1, 2, 28, 30])
    """

    def __init__(
        self,
        channels: int = 1,
        dimension: int = 2,
        encoder: Sequence[int] = (32, 32, 32),
        decoder: Sequence[int] = (32, 32, 32, 32, 16),
        integrate: int = 0,
        half_resolution: bool = False,
        bidirectional: bool = False,
        flow_scale: float = 1.0,
    ) -> None:
        check_integrate(integrate, bidirectional)
        settings = {
            "channels": channels,
            "dimension": dimension,
            "encoder": tuple(encoder),
            "decoder": tuple(decoder),
            "integrate": integrate,
            "half_resolution": bool(half_resolution),
            "bidirectional": bool(bidirectional),
            "flow_scale": checked_scale(flow_scale),
        }
        super().__init__(settings)
        self.integrate, self.bidirectional, self.flow_scale = integrate, bidirectional, float(flow_scale)
        self.unet = UNet(dimension, 2 * channels, encoder, decoder, half_resolution)
        self.flow = (nn.Conv2d if dimension == 2 else nn.Conv3d)(self.unet.features, dimension, 3, padding=1)
        nn.init.normal_(self.flow.weight, std=FIRST_FLOW)
        nn.init.zeros_(self.flow.bias)  # type: ignore[arg-type]

    @property
    def stride(self) -> int:
        """The sides of the grid on which the U-Net works are multiples of this; others are padded inside."""
        return int(2**self.unet.levels)

    def forward(self, fixed: Batch, moving: Batch) -> Prediction:
        """See `PairNetwork`."""
        self._check(fixed, moving)
        shape = tuple(fixed.shape[2:])
        features = self.unet(padded(torch.cat([moving, fixed], dim=1), self.stride))
        vectors = convolve(self.flow, features).to(fixed.dtype)  # places need more digits than features
        vectors = vectors * self.flow_scale if self.flow_scale != 1 else vectors
        if not self.integrate:
            return Prediction(whole(vectors, shape), vectors)
        inverse = whole(flow(-vectors, self.integrate), shape) if self.bidirectional else None
        return Prediction(whole(flow(vectors, self.integrate), shape), vectors, inverse)

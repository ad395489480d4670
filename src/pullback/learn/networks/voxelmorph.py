"""VoxelMorph: two images in, a dense displacement out.

Balakrishnan et al., "VoxelMorph: a learning framework for deformable medical image registration", IEEE TMI 38(8),
2019; with `integrate`, the diffeomorphic form of Dalca et al., Medical Image Analysis 57, 2019 (without its
uncertainty). The network sees voxels only; `pullback.learn.predict` gives it a grid and returns millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from pullback import ops
from pullback.errors import ModelError
from pullback.learn.networks.convolve import convolve
from pullback.learn.networks.prediction import Prediction, unmoved
from pullback.learn.networks.unet import UNet
from pullback.typing import Batch, Shape

FIRST_FLOW = 1e-5
"""Standard deviation of the last layer's first weights: training starts from almost no motion."""


class VoxelMorph(nn.Module):
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
        super().__init__()
        if isinstance(integrate, bool) or not isinstance(integrate, int) or not 0 <= integrate <= 20:
            raise ModelError(f"integrate is a number of squarings, from 0 (none) to 20; got {integrate!r}")
        if bidirectional and not integrate:
            raise ModelError("only a velocity that is integrated can be turned round; give integrate=7, for example")
        if not isinstance(flow_scale, float | int) or not 0 < flow_scale <= 1000:
            raise ModelError(f"flow_scale must be above 0 and at most 1000; got {flow_scale!r}")
        self.settings: dict[str, Any] = {
            "channels": channels,
            "dimension": dimension,
            "encoder": tuple(encoder),
            "decoder": tuple(decoder),
            "integrate": integrate,
            "half_resolution": bool(half_resolution),
            "bidirectional": bool(bidirectional),
            "flow_scale": float(flow_scale),
        }
        self.channels, self.dimension = channels, dimension
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
        """The displacement of every fixed voxel.

        Args:
            fixed: (b, channels, *shape), scaled to about [0, 1]; any shape.
            moving: the same shape.

        Raises:
            ModelError: other channels or dimensions than the network was made for.
        """
        self._check(fixed, moving)
        shape = tuple(fixed.shape[2:])
        features = self.unet(padded(torch.cat([moving, fixed], dim=1), self.stride))
        vectors = convolve(self.flow, features)
        vectors = vectors * self.flow_scale if self.flow_scale != 1 else vectors
        if not self.integrate:
            return Prediction(_whole(vectors, shape), vectors)
        inverse = _whole(self._flow(-vectors), shape) if self.bidirectional else None
        return Prediction(_whole(self._flow(vectors), shape), vectors, inverse)

    def _flow(self, velocity: Batch) -> Batch:
        return ops.exponential(velocity, unmoved(self.dimension)[:, :-1], self.integrate)

    def _check(self, fixed: Batch, moving: Batch) -> None:
        if fixed.shape != moving.shape or fixed.ndim != self.dimension + 2 or fixed.shape[1] != self.channels:
            raise ModelError(f"this network takes two {self.dimension}D batches (b, {self.channels}, *shape) of one "
                             f"shape; got {tuple(fixed.shape)} and {tuple(moving.shape)}")  # fmt: skip


def padded(images: Batch, stride: int) -> Batch:
    """Zeros behind the last voxel of each axis, up to a multiple of the stride."""
    short = [-n % stride for n in images.shape[2:]]
    sides = [side for amount in reversed(short) for side in (0, amount)]
    return functional.pad(images, sides) if torch.compiler.is_exporting() or any(short) else images


def _whole(field: Batch, shape: Shape) -> Batch:
    """A field in voxels of its own grid as one in voxels of the image's: interpolated twofold if need be, and cut."""
    if any(n < wanted for n, wanted in zip(field.shape[2:], shape, strict=True)):
        mode = "bilinear" if field.ndim == 4 else "trilinear"
        field = 2 * functional.interpolate(field, scale_factor=2.0, mode=mode, align_corners=False)
    for axis, n in enumerate(shape, start=2):
        field = field.narrow(axis, 0, n)
    return field

"""AffineNetwork: two images in, the affine map between them out, found from coarse to fine by `AffineHead`s."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from pullback.errors import ModelError
from pullback.learn.networks.affine_head import AffineHead
from pullback.learn.networks.features import Encoder
from pullback.learn.networks.fields import whole
from pullback.learn.networks.pair_network import PairNetwork, checked_scale
from pullback.learn.networks.prediction import Prediction
from pullback.learn.networks.pyramid import align, check_levels, encoded
from pullback.typing import Batch

FINEST = 2
"""No head looks at a resolution above a quarter: an affine map needs no details."""


class AffineNetwork(PairNetwork):
    """A network that aligns and does not bend.

    Args:
        channels: of each image.
        dimension: 2 or 3.
        encoder: features of each level, the finest first; each level halves the resolution. At least three.
        decoder: channels of the convolutions that compare the images at a level.
        bidirectional: give the way back as well.
        flow_scale: voxels of its level for each unit of a last layer.
        correlation: compare the features of each voxel with those of the neighbours this many voxels around.

    Raises:
        ModelError: sizes that make no network.

    Example:
        >>> import torch
        >>> model = AffineNetwork(encoder=(8, 16, 16), decoder=(16,))
        >>> model(torch.rand(1, 1, 28, 30), torch.rand(1, 1, 28, 30)).affine.shape
        torch.Size([1, 2, 3])
    """

    def __init__(
        self,
        channels: int = 1,
        dimension: int = 2,
        encoder: Sequence[int] = (16, 32, 32, 48, 64),
        decoder: Sequence[int] = (48, 32),
        bidirectional: bool = False,
        flow_scale: float = 1.0,
        correlation: int = 0,
    ) -> None:
        super().__init__(
            {
                "channels": channels,
                "dimension": dimension,
                "encoder": tuple(encoder),
                "decoder": tuple(decoder),
                "bidirectional": bool(bidirectional),
                "flow_scale": checked_scale(flow_scale),
                "correlation": correlation,
            }
        )
        check_levels(dimension, encoder, decoder, correlation, False)
        if len(encoder) <= FINEST:
            raise ModelError(f"an affine network needs at least {FINEST + 1} encoder levels; got {tuple(encoder)}")
        self.bidirectional = bidirectional
        self.encoder = Encoder(dimension, channels, encoder)
        self.levels = list(range(len(encoder) - 1, FINEST - 1, -1))
        self.heads, coarser = nn.ModuleList(), 0
        for level in self.levels:
            self.heads.append(AffineHead(dimension, encoder[level], coarser, decoder, correlation, float(flow_scale)))
            coarser = decoder[-1]

    @property
    def stride(self) -> int:
        """The sides of the grid on which it works are multiples of this; others are padded inside."""
        return int(2 ** self.levels[0])

    def forward(self, fixed: Batch, moving: Batch) -> Prediction:
        """See `PairNetwork`."""
        self._check(fixed, moving)
        shape = tuple(fixed.shape[2:])
        here, there = encoded(self.encoder, fixed, moving, self.stride)
        found = align(self.heads, self.levels, here, there, fixed.dtype)
        assert found is not None  # there is a head
        found, grid = found.finer(self.stride), tuple(here[0].shape[2:])
        displacement = whole(found.field(grid), shape)
        back = whole(found.inverse().field(grid), shape) if self.bidirectional else None
        return Prediction(displacement, displacement, back, found.matrix(grid))

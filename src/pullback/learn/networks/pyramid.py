"""Pyramid: two images in, their displacement out, found from coarse to fine.

One encoder sees each image by itself. At each level, the coarsest first, the features of the moving image are warped by
what is known so far, compared with those of the fixed one, and what is missing is composed with it: large motions are
found where they are small, and no level must find more than the one before left over. (The plan of PWC-Net, Sun et al.,
CVPR 2018, with the residual diffeomorphic steps of coarse-to-fine registration networks such as LapIRN, Mok and Chung,
MICCAI 2020.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pullback.errors import ModelError
from pullback.learn.networks.affine_head import AffineField, AffineHead
from pullback.learn.networks.features import Comparison, Encoder
from pullback.learn.networks.fields import after, doubled, flow, padded, warp, whole
from pullback.learn.networks.pair_network import MOST_LEVELS, PairNetwork, check_counts, check_integrate, checked_scale
from pullback.learn.networks.prediction import Prediction
from pullback.typing import Batch

AFFINE_LEVELS = 2
"""How many of the coarsest levels look for an affine map first."""


class Pyramid(PairNetwork):
    """A coarse-to-fine network with one encoder for both images.

    Args:
        channels: of each image.
        dimension: 2 or 3.
        encoder: features of each level, the finest first; each level halves the resolution.
        decoder: channels of the convolutions that compare the images at a level.
        integrate: squarings of the velocity that a level predicts; 0 composes plain displacements.
        half_resolution: leave the finest level out: faster and smoother.
        bidirectional: give the displacement from moving to fixed as well; needs `integrate`.
        flow_scale: voxels of its level for each unit of a last layer.
        correlation: compare the features of each voxel with those of the neighbours this many voxels around.
        affine: find an affine map at the two coarsest levels, before anything bends.

    Raises:
        ModelError: sizes that make no network, or both ways without integration.

    Example:
        >>> import torch
        >>> model = Pyramid(encoder=(8, 16, 16), decoder=(16,), integrate=4)
        >>> model(torch.rand(1, 1, 28, 30), torch.rand(1, 1, 28, 30)).displacement.shape
        torch.Size([1, 2, 28, 30])
    """

    def __init__(  # noqa: PLR0913 - a card names every one of them
        self,
        channels: int = 1,
        dimension: int = 2,
        encoder: Sequence[int] = (16, 32, 32, 48, 64),
        decoder: Sequence[int] = (48, 32),
        integrate: int = 0,
        half_resolution: bool = False,
        bidirectional: bool = False,
        flow_scale: float = 1.0,
        correlation: int = 0,
        affine: bool = False,
    ) -> None:
        check_integrate(integrate, bidirectional)
        super().__init__(
            {
                "channels": channels,
                "dimension": dimension,
                "encoder": tuple(encoder),
                "decoder": tuple(decoder),
                "integrate": integrate,
                "half_resolution": bool(half_resolution),
                "bidirectional": bool(bidirectional),
                "flow_scale": checked_scale(flow_scale),
                "correlation": correlation,
                "affine": bool(affine),
            }
        )
        check_levels(dimension, encoder, decoder, correlation, half_resolution)
        self.integrate, self.bidirectional, self.flow_scale = integrate, bidirectional, float(flow_scale)
        self.encoder = Encoder(dimension, channels, encoder)
        self.levels = list(range(len(encoder) - 1, 0 if half_resolution else -1, -1))
        self.heads = nn.ModuleList()
        coarser = 0
        for level in self.levels[: AFFINE_LEVELS if affine else 0]:
            self.heads.append(AffineHead(dimension, encoder[level], coarser, decoder, correlation, float(flow_scale)))
            coarser = decoder[-1]
        self.comparisons, coarser = nn.ModuleList(), 0
        for level in self.levels:
            self.comparisons.append(Comparison(dimension, encoder[level], coarser, decoder, dimension, correlation))
            coarser = decoder[-1]

    @property
    def stride(self) -> int:
        """The sides of the grid on which it works are multiples of this; others are padded inside."""
        return int(2 ** self.levels[0])

    def forward(self, fixed: Batch, moving: Batch) -> Prediction:
        """See `PairNetwork`."""
        self._check(fixed, moving)
        shape, dtype = tuple(fixed.shape[2:]), fixed.dtype
        there, here = encoded(self.encoder, moving, fixed, self.stride)
        start = align(self.heads, self.levels, here, there, dtype)
        coarse = tuple(here[self.levels[0]].shape[2:])
        known = None if start is None else start.field(coarse)
        back = None if start is None or not self.bidirectional else start.inverse().field(coarse)
        features = None
        for number, (level, compare) in enumerate(zip(self.levels, self.comparisons, strict=True)):
            if number:
                known, back = doubled(known), None if back is None else doubled(back)  # type: ignore[arg-type]
            warped = there[level] if known is None else warp(there[level].to(dtype), known)
            said, features = compare(here[level], warped, features)
            vectors = self.flow_scale * said.to(dtype)
            step = flow(vectors, self.integrate)
            known = step if known is None else after(known, step)
            if self.bidirectional:
                step = flow(-vectors, self.integrate)
                back = step if back is None else after(step, back)
        assert known is not None  # there is a level
        return Prediction(whole(known, shape), known, None if back is None else whole(back, shape))


def encoded(encoder: Encoder, first: Batch, second: Batch, stride: int) -> tuple[list[Batch], list[Batch]]:
    """The features of two batches of images at each level, in one pass."""
    levels = encoder(padded(torch.cat([first, second]), stride))
    return [each[: len(first)] for each in levels], [each[len(first) :] for each in levels]


def align(
    heads: nn.ModuleList, levels: Sequence[int], fixed: list[Batch], moving: list[Batch], dtype: object
) -> AffineField | None:
    """The affine map that some heads find one after the other, each a level finer, in voxels of the coarsest level.

    Args:
        heads: from coarse to fine; None comes of no heads.
        levels: the level of each of them, in this order; more are ignored.
        fixed: features of each level, the finest first.
        moving: likewise.
        dtype: of the places.
    """
    known, features = None, None
    for head, level in zip(heads, levels, strict=False):
        shape = tuple(fixed[level].shape[2:])
        warped = moving[level] if known is None else warp(moving[level].to(dtype), known.field(shape))  # type: ignore[call-overload]
        step, features = head(fixed[level], warped, features)
        known = step if known is None else known.after(step)
        known = known.finer()
    return None if known is None else known.finer(0.5 ** len(heads))


def check_levels(
    dimension: int, encoder: Sequence[int], decoder: Sequence[int], correlation: int, half_resolution: bool
) -> None:
    """Refuse sizes of which no pyramid can be built.

    Raises:
        ModelError: says which.
    """
    if not 1 + half_resolution <= len(encoder) <= MOST_LEVELS or not 1 <= len(decoder) <= MOST_LEVELS:
        raise ModelError(f"a pyramid needs 1 to {MOST_LEVELS} encoder levels (2 at half resolution) and 1 to "
                         f"{MOST_LEVELS} decoder features; got {tuple(encoder)} and {tuple(decoder)}")  # fmt: skip
    check_counts(dimension, (*encoder, *decoder))
    if isinstance(correlation, bool) or not isinstance(correlation, int) or not 0 <= correlation <= 4:
        raise ModelError(f"correlation reaches 0 to 4 voxels; got {correlation!r}")

"""PairNetwork: what every network is: two images of one grid in, what moves where out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from pullback.errors import ModelError
from pullback.learn.networks.prediction import Prediction
from pullback.typing import Batch

MOST_CHANNELS = 1024
MOST_LEVELS = 8


class PairNetwork(nn.Module):
    """A network of pairs of images. It sees voxels only; `pullback.learn.predict` gives it a grid and returns mm.

    Args:
        settings: all that it was built with, by name, so that it can be described and built again.

    Raises:
        ModelError: channels or dimensions of which no network can be built.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.settings = settings
        self.channels: int = settings["channels"]
        self.dimension: int = settings["dimension"]
        check_counts(self.dimension, [self.channels])

    @property
    def stride(self) -> int:
        """The sides of the grid on which it works are multiples of this; others are padded inside."""
        raise NotImplementedError

    def forward(self, fixed: Batch, moving: Batch) -> Prediction:
        """The displacement of every fixed voxel.

        Args:
            fixed: (b, channels, *shape), scaled to about [0, 1]; any shape.
            moving: the same shape.

        Raises:
            ModelError: other channels or dimensions than the network was made for.
        """
        raise NotImplementedError

    def _check(self, fixed: Batch, moving: Batch) -> None:
        if fixed.shape != moving.shape or fixed.ndim != self.dimension + 2 or fixed.shape[1] != self.channels:
            raise ModelError(f"this network takes two {self.dimension}D batches (b, {self.channels}, *shape) of one "
                             f"shape; got {tuple(fixed.shape)} and {tuple(moving.shape)}")  # fmt: skip


def check_counts(dimension: int, counts: Sequence[int]) -> None:
    """Refuse dimensions and channels of which no network can be built, or none that fits a memory.

    Raises:
        ModelError: says which.
    """
    if dimension not in (2, 3):
        raise ModelError(f"a network is for 2 or 3 dimensions; got {dimension!r}")
    for number in counts:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_CHANNELS:
            raise ModelError(f"the channels of a layer must be a whole number from 1 to {MOST_CHANNELS}; got {number}")


def check_integrate(integrate: int, bidirectional: bool) -> None:
    """Refuse numbers of squarings that are none, and both ways of what cannot be turned round.

    Raises:
        ModelError: says which.
    """
    if isinstance(integrate, bool) or not isinstance(integrate, int) or not 0 <= integrate <= 20:
        raise ModelError(f"integrate is a number of squarings, from 0 (none) to 20; got {integrate!r}")
    if bidirectional and not integrate:
        raise ModelError("only a velocity that is integrated can be turned round; give integrate=7, for example")


def checked_scale(flow_scale: float) -> float:
    """Voxels for each unit of a last layer.

    Raises:
        ModelError: it is no number that makes sense.
    """
    if not isinstance(flow_scale, float | int) or not 0 < flow_scale <= 1000:
        raise ModelError(f"flow_scale must be above 0 and at most 1000; got {flow_scale!r}")
    return float(flow_scale)

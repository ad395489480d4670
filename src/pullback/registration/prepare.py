"""Prepare: bring the intensities of an image to a common scale, and its mask beside it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import InputError
from pullback.image import Image
from pullback.space import Space
from pullback.typing import Batch, Float, Tensor

MOST_FOR_PERCENTILES = 1_000_000


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image as the stages see it.

    Attributes:
        data: (1, c, *space.shape) float32, scaled to [0, 1].
        space: its grid.
        weight: (1, 1, *space.shape) in [0, 1], its mask; None where every voxel counts.
    """

    data: Batch
    space: Space
    weight: Batch | None = None

    def on_level(self, space: Space) -> Prepared:
        """The same image on a coarser grid over the same field of view."""
        weight = None if self.weight is None else ops.resize(self.weight, space.shape)
        return Prepared(ops.resize(self.data, space.shape), space, weight)


@dataclass(frozen=True)
class Prepare:
    """Scale each channel so that two percentiles become 0 and 1, and cut off what lies beyond.

    Attributes:
        low_percentile: becomes 0.
        high_percentile: becomes 1; below 100, so that a few very bright voxels do not darken the rest.
    """

    low_percentile: float = 0.1
    high_percentile: float = 99.8

    def run(self, image: Image, mask: Image | None, device: str, name: str) -> Prepared:
        """The prepared image.

        Args:
            image: any intensities.
            mask: how much each voxel counts, on the same grid; None for all alike.
            device: where the stages will run.
            name: what to call the image in an error ("fixed" or "moving").

        Raises:
            InputError: the image is constant, or its mask is empty.
        """
        data = image.data.to(device, torch.float32)
        weight = None
        if mask is not None:
            weight = mask.data[:1].to(device, torch.float32).clamp(0, 1)[None]
            if not bool((weight > 0).any()):
                raise InputError(f"the {name} mask is empty; give one with at least one voxel above 0")
        channels = [self._scaled(channel, name) for channel in data]
        return Prepared(torch.stack(channels)[None], image.space, weight)

    def _scaled(self, channel: Float[Tensor, "*spatial"], name: str) -> Float[Tensor, "*spatial"]:
        low, high = percentiles(channel, (self.low_percentile, self.high_percentile))
        if high <= low:  # almost everything has one value: fall back on the whole range
            low, high = float(channel.min()), float(channel.max())
        if high <= low:
            raise InputError(f"the {name} image is constant (every voxel is {low:g}): there is nothing to align")
        return ((channel - low) / (high - low)).clamp(0, 1)


def percentiles(values: Tensor, wanted: tuple[float, ...]) -> list[float]:
    """Percentiles of the values, of an even sample of them where there are very many."""
    flat = values.flatten()
    flat = flat[:: max(1, flat.numel() // MOST_FOR_PERCENTILES)].sort().values
    return [float(flat[round((len(flat) - 1) * p / 100)]) for p in wanted]

"""Prepare: bring the intensities of an image to a common scale, and its mask beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from pullback import ops
from pullback.energy.landmarks import Landmarks
from pullback.energy.pair import Key
from pullback.energy.surfaces import Surfaces
from pullback.errors import InputError
from pullback.image import Image
from pullback.registration.flatten import flattened
from pullback.registration.match_histograms import matched
from pullback.registration.percentiles import percentiles
from pullback.space import Space
from pullback.typing import Batch, Float, Tensor

MOSTLY = 0.5
"""A mask over more than this share of its image cuts something out of it; over less, it chooses a region."""
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image as the stages see it.

    Attributes:
        data: (1, c, *space.shape) float32, scaled to [0, 1].
        space: its grid.
        weight: (1, 1, *space.shape) in [0, 1], its mask; None where every voxel counts.
        also: further images of the same world, by the names of images and mask under which terms of a recipe know them.
        landmarks: points of the fixed image and their partners; held by the fixed image.
        surfaces: points on surfaces of both images, likewise.
        notes: what was done to it that people should know; held by the moving image.
    """

    data: Batch
    space: Space
    weight: Batch | None = None
    also: Mapping[Key, Prepared] = field(default_factory=dict)
    landmarks: Landmarks | None = None
    surfaces: Surfaces | None = None
    notes: tuple[str, ...] = ()

    def on_level(self, space: Space) -> Prepared:
        """The same image on a coarser grid over the same field of view.

        Under a mask, voxels are averaged by their weights, so that what does not count leaks into nothing that does;
        beyond the mask's rim the image is continued by what lies within it.
        """
        if self.weight is None:
            return Prepared(ops.resize(self.data, space.shape), space)
        weight = ops.resize(self.weight, space.shape)
        total = ops.resize(self.data * self.weight, space.shape)
        reach = [1.0] * space.dimension
        near, near_weight = ops.smooth(total, reach), ops.smooth(weight, reach)
        beyond = torch.where(near_weight > LEAST_WEIGHT, near / near_weight.clamp(min=LEAST_WEIGHT), 0.0)
        data = torch.where(weight > LEAST_WEIGHT, total / weight.clamp(min=LEAST_WEIGHT), beyond)
        return Prepared(data, space, weight)


@dataclass(frozen=True)
class Prepare:
    """Scale each channel so that two percentiles become 0 and 1, and cut off what lies beyond.

    Attributes:
        low_percentile: becomes 0.
        high_percentile: becomes 1; below 100, so that a few very bright voxels do not darken the rest.
        flatten_mm: divide by the mean brightness within about this distance, for images with strong shading (coils,
            bias fields) whose contrasts differ: mutual information needs one brightness to mean one tissue. 40 suits
            hearts and heads; null for not at all.
        match_histograms: bend the brightness of the moving image until its histogram is the fixed image's, of what is
            not background: for MSE and RobustDifference of one contrast whose gain is not a plain factor. Not for two
            contrasts, whose histograms say nothing of each other.
    """

    low_percentile: float = 0.1
    high_percentile: float = 99.8
    flatten_mm: float | None = None
    match_histograms: bool = False

    def pair(
        self, fixed: Image, moving: Image, fixed_mask: Image | None, moving_mask: Image | None, device: str
    ) -> tuple[Prepared, Prepared]:
        """Both images prepared.

        Percentiles are those of the voxels that count, unless a mask chooses a region of one image only: then both are
        scaled as wholes, since a scale found in a region of one would not suit the other.

        Args:
            fixed: the image that stays.
            moving: the image that is pulled back.
            fixed_mask: how much each fixed voxel counts, on the same grid; None for all alike.
            moving_mask: likewise for the moving image.
            device: where the stages will run.

        Raises:
            InputError: an image is constant (under its mask), or its mask is empty.
        """
        both = fixed_mask is not None and moving_mask is not None
        f = self._run(fixed, fixed_mask, device, "fixed", both)
        m = self._run(moving, moving_mask, device, "moving", both)
        return f, _like(m, f, both) if self.match_histograms else m

    def _run(self, image: Image, mask: Image | None, device: str, name: str, both: bool) -> Prepared:
        data, weight, counted = image.data.to(device, torch.float32), None, None
        if mask is not None:
            weight = mask.data[:1].to(device, torch.float32).clamp(0, 1)[None]
            if not bool((weight > 0).any()):
                raise InputError(f"the {name} mask is empty; give one with at least one voxel above 0")
            counted = _counted(weight, both)
        names = [name] if len(data) == 1 else [f"{name} (channel {c + 1})" for c in range(len(data))]
        channels = [self._scaled(channel, counted, n) for channel, n in zip(data, names, strict=True)]
        if self.flatten_mm is not None:
            even = [flattened(channel, image.space, self.flatten_mm, counted) for channel in channels]
            channels = [self._scaled(channel, counted, n) for channel, n in zip(even, names, strict=True)]
        whole = channels[0][None] if len(channels) == 1 else torch.stack(channels)
        return Prepared(whole[None], image.space, weight)

    def _scaled(self, channel: Float[Tensor, "*spatial"], counted: Tensor | None, name: str) -> Tensor:
        values = channel if counted is None else channel[counted]
        low, high = percentiles(values, (self.low_percentile, self.high_percentile))
        if high <= low:  # almost everything has one value: fall back on the whole range
            low, high = float(values.min()), float(values.max())
        if high <= low:
            where = "" if counted is None else " under its mask"
            raise InputError(f"the {name} image is constant{where} (every voxel is {low:g}): there is nothing to align")
        return (channel - low).div_(high - low).clamp_(0, 1)


def _counted(weight: Batch | None, both: bool) -> Tensor | None:
    """The voxels that tell of an image's brightness; None for all. A region chosen in one image alone does not."""
    if weight is None:
        return None
    inside = weight[0, 0] > 0
    return inside if both or float(inside.float().mean()) > MOSTLY else None


def _like(moving: Prepared, fixed: Prepared, both: bool) -> Prepared:
    """The moving image with the fixed one's histogram, channel by channel."""
    counted = [_counted(image.weight, both) for image in (moving, fixed)]
    channels = [matched(m, f, *counted) for m, f in zip(moving.data[0], fixed.data[0], strict=True)]
    data = torch.stack(channels)[None]
    change = float((data - moving.data).abs().mean())
    note = f"histogram matched to the fixed image's: brightness changed by {100 * change:.1f} % of its range on average"
    return replace(moving, data=data, notes=(*moving.notes, note))

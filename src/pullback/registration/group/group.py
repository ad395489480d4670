"""Group: the result of `register_group`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pullback.image import Image
from pullback.optimise import Status
from pullback.registration.group.cost import GroupCost
from pullback.registration.group.folder import save
from pullback.registration.outcome import Outcome
from pullback.registration.recipe import Recipe
from pullback.space import Space
from pullback.transforms import Affine, Transform, resample


@dataclass(frozen=True, eq=False)
class Group:
    """Images and the maps from a common space to each of them: warped_t(x) = image_t(transforms[t](x)).

    To carry points from image s to image t: `transforms[t](transforms[s].inverse()(points))`.

    Attributes:
        images: as given.
        space: the grid in the common space.
        transforms: common world -> world of each image, mm.
        status: how it ended.
        outcomes: one for each stage that ran; their transforms are the first image's.
        recipe: what was run.
        cost: what was made small.
        provenance: versions, threads, device, time, and where the images came from.
    """

    images: tuple[Image, ...]
    space: Space
    transforms: tuple[Transform, ...]
    status: Status
    outcomes: tuple[Outcome, ...]
    recipe: Recipe
    cost: GroupCost
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the result may be used; if not, `message` says why."""
        return self.status.ok

    @property
    def message(self) -> str:
        """How it ended, in a sentence."""
        return self.status.value

    @property
    def seconds(self) -> float:
        """Wall time of all stages."""
        return sum(outcome.seconds for outcome in self.outcomes)

    def warped(self, number: int) -> Image:
        """An image pulled back into the common space, read linearly, its edge repeated."""
        return resample(self.images[number], self.transforms[number], self.space, outside=None)

    @property
    def mean(self) -> Image:
        """The mean of all images in the common space."""
        total: Image | None = None
        for number in range(len(self.images)):
            warped = self.warped(number)
            total = warped if total is None else Image(total.data + warped.data, self.space)
        assert total is not None
        return Image(total.data / len(self.images), self.space)

    def cost_before_and_after(self) -> tuple[float, float]:
        """The cost of the images as their headers place them, and of the images brought together."""
        still: list[Transform] = [Affine.identity(self.space.dimension)] * len(self.images)
        return self._cost(still), self._cost(list(self.transforms))

    def _cost(self, transforms: list[Transform]) -> float:
        pairs = zip(self.images, transforms, strict=True)
        prepared = (self.recipe.prepare.pair(i, i, None, None, "cpu")[0] for i in self.images)
        warped = [
            resample(Image(p.data[0], i.space), t, self.space, outside=None).data
            for p, (i, t) in zip(prepared, pairs, strict=True)
        ]
        return float(self.cost.loss(torch.stack(warped)))

    def each_warped(self) -> Iterator[Image]:
        """Every image in the common space, one after another."""
        for number in range(len(self.images)):
            yield self.warped(number)

    def save(self, folder: str | Path) -> Path:
        """Write the images in the common space, their mean and the transforms into a folder; see `folder.save`."""
        return save(self, folder)

    def __repr__(self) -> str:
        return f"Group({len(self.images)} images, {self.recipe.name}: {self.status.name}, {self.seconds:.2f} s)"

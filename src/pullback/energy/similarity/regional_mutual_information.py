"""RegionalMutualInformation: mutual information in overlapping windows, for contrasts that change across the image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import torch

from pullback.energy.similarity.entropies import entropies
from pullback.energy.similarity.similarity import Similarity
from pullback.space import Space
from pullback.typing import Batch, Float, Shape, Tensor


@dataclass(frozen=True)
class RegionalMutualInformation(Similarity):
    """1 - 2 sum(s I) / sum(s (H_fixed + H_warped)), over windows that hold the share s of what counts.

    Each window has a histogram of its own, so that shading, or another coil, does not smear the relation of the two
    contrasts. Windows are cubes (in mm) that overlap by half, and count less towards their rims. Few voxels fill few
    bins: at coarse levels `parts` of 2 or 3 is all that makes sense. Studholme et al., Medical Image Analysis 10(5),
    2006; pooled as the conditional mutual information of Loeckx et al., IEEE Transactions on Medical Imaging 29(1),
    2010. Channels are compared one by one. Costs up to 4 times (3-D: 8 times) what
    `MutualInformation` costs.

    Attributes:
        parts: how many windows there are along the longest axis; fewer along shorter ones, 1 for the whole image.
        bins: bins of the joint histograms for each image.
        windows: how many there are along each axis; set by `on` for each grid, or given outright.
    """

    parts: int = 3
    bins: int = 16
    windows: Shape | None = None

    def on(self, space: Space) -> RegionalMutualInformation:
        """Windows of one size in mm along every axis."""
        return replace(self, windows=self.windows or self._windows(space.extent))

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        shape = tuple(fixed.shape[2:])
        information = entropy = torch.zeros((), dtype=fixed.dtype)
        for part, rim in _parts(shape, self.windows or self._windows(shape)):
            here = rim.to(fixed) if weight is None else rim.to(fixed) * weight[part]
            found = entropies(fixed[part], warped[part], self.bins, here)
            share = here.flatten(1).sum(dim=1, keepdim=True).cpu() / math.prod(shape)
            information = information + share * found.information
            entropy = entropy + share * (found.fixed + found.warped)
        return (1 - 2 * information / entropy.clamp(min=1e-9)).mean(dim=1).to(warped.device)

    def _windows(self, extent: tuple[float, ...]) -> Shape:
        side = 2 * max(extent) / (self.parts + 1)
        return tuple(max(1, round(2 * length / side) - 1) for length in extent)


def _parts(shape: Shape, windows: Shape) -> Iterator[tuple[tuple[slice, ...], Float[Tensor, "1 1 *spatial"]]]:
    """Each window: where it lies, and how much each of its voxels counts; for every voxel these add up to 1."""
    for chosen in product(*(_hats(n, k) for n, k in zip(shape, windows, strict=True))):
        rim = torch.ones(1, 1, *[1] * len(shape))
        for axis, (_, hat) in enumerate(chosen, start=2):
            rim = rim * hat.view([-1 if a == axis else 1 for a in range(len(shape) + 2)])
        yield (slice(None), slice(None), *(where for where, _ in chosen)), rim


def _hats(n: int, windows: int) -> list[tuple[slice, Float[Tensor, " m"]]]:
    """Overlapping hats along a line of n voxels, the outer ones level towards the ends."""
    if windows < 2:
        return [(slice(0, n), torch.ones(n))]
    at, step = torch.arange(n) + 0.5, n / (windows + 1)
    found = []
    for k in range(windows):
        away = at / step - (k + 1)
        away = away.clamp(min=0) if k == 0 else away.clamp(max=0) if k == windows - 1 else away
        hat = (1 - away.abs()).clamp(min=0)
        inside = torch.nonzero(hat > 0).flatten()
        if len(inside):
            first, last = int(inside[0]), int(inside[-1]) + 1
            found.append((slice(first, last), hat[first:last]))
    return found

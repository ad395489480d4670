"""AlignCentres: find a first transform from which optimisation can see its goal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from pullback.energy import Energy, MutualInformation, Pair, Similarity
from pullback.energy.pair import shared
from pullback.energy.terms import keys
from pullback.optimise import Level, Status
from pullback.optimise.schedule import level_shape
from pullback.registration.initialisation.candidate import Candidate
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import MOSTLY, Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Batch, Float, Matrix, Tensor

Start = Literal["header", "field_of_view", "mass"]
COARSE_VOXELS = 48
"""Starts are compared at a resolution with about this many voxels along the longest axis."""


@dataclass(frozen=True)
class AlignCentres(Stage):
    """Take the best of a few translations: none (trust the headers), middles of the fields of view, centres of mass.

    Attributes:
        starts: which translations to try, in order of preference.
        similarity: how the starts are compared, at a coarse resolution.
        least_overlap: a start must place this share of the smaller image inside the other.
        margin: a later start must be better than an earlier one by this part of its loss.
    """

    starts: tuple[Start, ...] = ("header", "field_of_view", "mass")
    similarity: Similarity = field(default_factory=lambda: MutualInformation(bins=16))
    least_overlap: float = 0.3
    margin: float = 0.02

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "align centres"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        level = Level(max(1.0, max(fixed.space.extent) / fixed.space.finest / COARSE_VOXELS), 1)
        pair = at_level(fixed, moving, level, keys(self.similarity))
        fair = [s for s in self.starts if s != "mass" or _comparable(pair.fixed_weight, pair.moving_weight)]
        found = [self._candidate(start, pair, initial) for start in fair or self.starts]
        candidates = [candidate for candidate in found if candidate is not None]
        if not candidates:
            return Outcome(self.name, initial, Status.no_overlap)
        worst = max(candidate.loss for candidate in candidates)
        best = candidates[0]
        for candidate in candidates[1:]:
            if candidate.unlike(worst) < best.unlike(worst) * (1 - self.margin):
                best = candidate
        return Outcome(self.name, best.transform, Status.converged, notes=(f"started from: {best.name}",))

    def _candidate(self, start: Start, pair: Pair, initial: Transform) -> Candidate | None:
        """A start and how it does; None where too little of the images meets."""
        transform = initial @ Affine.translation(self._shift(start, pair, initial))
        met = min(1.0, shared(pair, transform))
        whole = replace(pair, fixed_weight=None, moving_weight=None)
        if met < LEAST_OVERLAP or shared(whole, transform) < self.least_overlap:
            return None
        with torch.no_grad():
            loss = float(Energy(self.similarity).loss(pair, transform))
        return Candidate(start.replace("_", " "), transform, loss, met)

    @staticmethod
    def _shift(start: Start, pair: Pair, initial: Transform) -> Tensor:
        """The translation, on the fixed side, that brings the chosen points of both images together."""
        if start == "header":
            return torch.zeros(pair.fixed_space.dimension, dtype=torch.float64)
        if start == "field_of_view":
            here, there = pair.fixed_space.centre, pair.moving_space.centre
        else:
            here = centre_of_mass(pair.fixed, pair.fixed_weight, pair.fixed_space)
            there = centre_of_mass(pair.moving, pair.moving_weight, pair.moving_space)
        return initial.inverse()(there) - here


def _comparable(fixed: Batch | None, moving: Batch | None) -> bool:
    """Whether masses under these masks can be compared: that of a region in one image is not that of the other."""
    one = fixed if moving is None else moving if fixed is None else None
    return one is None or float(one.mean()) > MOSTLY


def centre_of_mass(data: Batch, weight: Batch | None, space: Space) -> Float[Tensor, " d"]:
    """The centre of an image's brightness, world mm."""
    mass = data.mean(dim=(0, 1)) if weight is None else (data * weight).mean(dim=(0, 1))
    mass = mass.to(torch.float64).cpu()
    total = float(mass.sum())
    if total <= 0:
        return space.centre
    index = []
    for axis, n in enumerate(space.shape):
        along = mass.sum(dim=[a for a in range(mass.ndim) if a != axis])
        index.append(float((along * torch.arange(n, dtype=torch.float64)).sum()) / total)
    return space.to_world(torch.tensor(index, dtype=torch.float64))


def principal_axes(image: Prepared) -> Matrix:
    """The axes of an image's moments of inertia, (D, D) orthonormal columns from the longest to the shortest.

    Alpert et al., Journal of Nuclear Medicine 31(10), 1990. Each axis may point either way; the frame is right-handed.
    """
    space = image.space.resized(level_shape(image.space, max(image.space.extent) / COARSE_VOXELS))
    small = image.on_level(space)
    mass = small.data[0].mean(dim=0) if small.weight is None else (small.data * small.weight)[0].mean(dim=0)
    mass = mass.to("cpu", torch.float64)[..., None]
    away = space.grid() - centre_of_mass(small.data, small.weight, space)
    spread = (mass * away).flatten(0, -2).T @ away.flatten(0, -2)
    axes: Matrix = torch.linalg.eigh(spread).eigenvectors.flip(-1)
    return axes * torch.sign(torch.linalg.det(axes))

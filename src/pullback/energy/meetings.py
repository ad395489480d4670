"""Meetings: an energy of many terms in the middle, each with its own images, mask and weight; and of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import torch

from pullback.energy.energy import Energy
from pullback.energy.felt import carried_along
from pullback.energy.landmarks import Landmarks
from pullback.energy.meeting import Meeting, Side
from pullback.energy.pair import Key
from pullback.energy.part import judged, spread, suiting
from pullback.energy.regulariser import regions
from pullback.energy.similarity import LandmarkDistance, SurfaceDistance
from pullback.energy.similarity.surface_distance import nearest_pairs
from pullback.energy.surfaces import Surfaces
from pullback.energy.terms import compares_points, grouped, seen_surfaces
from pullback.errors import InputError
from pullback.image import Points
from pullback.space import Space
from pullback.transforms import Affine, Transform, split
from pullback.transforms.apply import reading
from pullback.typing import Batch, Float, PointsTensor, Tensor

Sides: TypeAlias = Mapping[Key, tuple[Side, Side]]
"""By the names of images and mask, the two images that meet; the two images themselves under (None, None)."""
ROUNDS = 8
"""Iterations that find where a landmark comes from: each leaves of the error what the half stretches there."""


@dataclass(frozen=True, eq=False)
class LandmarkMeeting:
    """weight x how far apart landmarks and their partners lie in the middle.

    Where a half should lead from is not known but from the halves themselves, so each landmark is looked for half way
    between where they say, at m, and both halves are drawn so that m goes to the landmark and to its partner.

    Attributes:
        similarity: how a distance is judged.
        landmarks: of the fixed and of the moving world.
        carries: of both sides, as in `Side`.
        space: the grid in the middle.
        weight: what one unit of the loss counts.
    """

    similarity: LandmarkDistance
    landmarks: Landmarks
    carries: tuple[Transform, Transform]
    space: Space
    weight: float = 1.0

    def loss(self, to_fixed: Transform, to_moving: Transform) -> Float[Tensor, ""]:
        """See `Meeting`."""
        middle = self._middle(to_fixed, to_moving)
        return self._loss((to_fixed, to_moving), (middle, middle))

    def loss_and_forces(self, to_fixed: Transform, to_moving: Transform) -> tuple[float, Float[Tensor, "2 *each"]]:
        """See `Meeting`."""
        middle = self._middle(to_fixed, to_moving)
        places = tuple(middle.clone().requires_grad_() for _ in range(2))
        loss = self._loss((to_fixed, to_moving), places)
        pulls = torch.autograd.grad(loss, places)
        return float(loss.detach()), torch.stack([
            carried_along(half, spread(pull, middle, self.space))
            for half, pull in zip((to_fixed, to_moving), pulls, strict=True)
        ])  # fmt: skip

    @torch.no_grad()
    def _middle(self, *halves: Transform) -> PointsTensor:
        """Half way between where the one half and the other lead from."""
        found = [led_back(*side) for side in zip(self._worlds, halves, self.carries, self._backs, strict=True)]
        return (found[0] + found[1]) / 2

    def _loss(self, halves: tuple[Transform, ...], places: tuple[PointsTensor, ...]) -> Float[Tensor, ""]:
        """The loss of halves that are read at places in the middle; gaps are turned to lie as they do there."""
        missed = [
            ((carry @ half).move(place) - world.to(place)) @ back.linear.T.to(place)
            for carry, back, half, place, world in zip(
                self.carries, self._backs, halves, places, self._worlds, strict=True
            )
        ]
        return self.weight * judged(self.similarity, self.landmarks, missed[1] - missed[0])

    @property
    def _worlds(self) -> tuple[PointsTensor, PointsTensor]:
        return self.landmarks.fixed.world, self.landmarks.moving.world

    @cached_property
    def _backs(self) -> tuple[Affine, Affine]:
        return backs(self.carries, self.space)


def backs(carries: tuple[Transform, Transform], space: Space) -> tuple[Affine, Affine]:
    """From either world to the middle, without deformations."""
    few = space.resized([min(n, 8) for n in space.shape])
    one, other = (split(carry, few)[0].inverse() for carry in carries)
    return one, other


@torch.no_grad()
def led_back(points: PointsTensor, half: Transform, carry: Transform, back: Affine) -> PointsTensor:
    """Where in the middle the points of a world come from, by a few fixed-point iterations."""
    world = suiting(points, half)
    place = back(world)
    for _ in range(ROUNDS):
        place = place - ((carry @ half).move(place) - world) @ back.linear.T.to(place)
    return place


@dataclass(frozen=True, eq=False)
class SurfaceMeeting:
    """weight x how far apart surfaces lie in the middle.

    Points are first led back to the middle, where the nearest are told to belong together; then they are landmarks.

    Attributes:
        similarity: how a distance is judged.
        surfaces: points on those of the fixed and of the moving world.
        carries: of both sides, as in `Side`.
        space: the grid in the middle.
        weight: what one unit of the loss counts.
    """

    similarity: SurfaceDistance
    surfaces: Surfaces
    carries: tuple[Transform, Transform]
    space: Space
    weight: float = 1.0

    def loss(self, to_fixed: Transform, to_moving: Transform) -> Float[Tensor, ""]:
        """See `Meeting`."""
        return self._matched(to_fixed, to_moving).loss(to_fixed, to_moving)

    def loss_and_forces(self, to_fixed: Transform, to_moving: Transform) -> tuple[float, Float[Tensor, "2 d *spatial"]]:
        """See `Meeting`."""
        return self._matched(to_fixed, to_moving).loss_and_forces(to_fixed, to_moving)

    def _matched(self, *halves: Transform) -> LandmarkMeeting:
        """The landmarks that the surfaces are at the moment."""
        here, there, counts = [], [], []
        towards = backs(self.carries, self.space)
        for pair in self.surfaces.named.values():
            worlds = [points.world for points in pair]
            middle = [led_back(*side) for side in zip(worlds, halves, self.carries, towards, strict=True)]
            mine, others, count = nearest_pairs(middle[0], middle[1])
            here.append(pair[0].world[mine])
            there.append(pair[1].world[others])
            counts.append(count)
        pairs = Landmarks(Points(torch.cat(here)), Points(torch.cat(there)), counts=torch.cat(counts))
        return LandmarkMeeting(self.similarity.of_pairs, pairs, self.carries, self.space, self.weight)


@dataclass(frozen=True, eq=False)
class Meetings:
    """The sum of several meetings, of the same halves.

    Attributes:
        parts: of images, the first with the regulariser, of landmarks, and of surfaces.
    """

    parts: tuple[Meeting | LandmarkMeeting | SurfaceMeeting, ...]

    def loss(self, to_fixed: Transform, to_moving: Transform) -> Float[Tensor, ""]:
        """See `Meeting`."""
        first, *others = (part.loss(to_fixed, to_moving) for part in self.parts)
        return sum(others, first)

    def loss_and_forces(self, to_fixed: Transform, to_moving: Transform) -> tuple[float, Float[Tensor, "2 *each"]]:
        """See `Meeting`."""
        total, forces = self.parts[0].loss_and_forces(to_fixed, to_moving)
        for loss, more in (part.loss_and_forces(to_fixed, to_moving) for part in self.parts[1:]):
            total, forces = total + loss, forces + more
        return total, forces


def meetings(
    energy: Energy,
    sides: Sides,
    space: Space,
    landmarks: Landmarks | None,
    settle: Callable[[Meeting], Meeting],
    surfaces: Surfaces | None = None,
) -> Meetings:
    """What an energy compares in the middle.

    Args:
        energy: its similarity, and a regulariser of either half.
        sides: the two images, and those that its terms name.
        space: the grid in the middle.
        landmarks: for terms that compare those.
        settle: what becomes of each meeting of images before the loop: see `Meeting.described`.
        surfaces: for terms that compare those.

    Raises:
        InputError: a term compares points that are not there, or all terms do and there is a regulariser.
    """
    found: list[Meeting | LandmarkMeeting | SurfaceMeeting] = []
    main = sides[None, None]
    within = () if energy.regulariser is None else regions(energy.regulariser)
    for term in sorted(grouped(energy.similarity), key=lambda t: compares_points(t.similarity)):
        if isinstance(term.similarity, SurfaceDistance):
            shown, carries = seen_surfaces(surfaces, term), (main[0].carry, main[1].carry)
            found.append(SurfaceMeeting(term.similarity, shown, carries, space, term.weight))
            continue
        if isinstance(term.similarity, LandmarkDistance):
            if landmarks is None:
                raise InputError("a term compares landmarks, and there are none; give landmarks=(fixed, moving)")
            carries = main[0].carry, main[1].carry
            found.append(LandmarkMeeting(term.similarity, landmarks, carries, space, term.weight))
            continue
        alone = Energy(term.similarity) if found else replace(energy, similarity=term.similarity)
        meeting = settle(Meeting(alone, *sides[term.key], space, weight=term.weight))
        named = {} if found else {name: _region(sides[None, name], meeting.space) for name in within}
        found.append(replace(meeting, regions=named))
    if energy.regulariser is not None and not isinstance(found[0], Meeting):
        raise InputError("a symmetric stage with a regulariser needs a term that compares images, not points alone")
    return Meetings(tuple(found))


def _region(sides: tuple[Side, Side], space: Space) -> Batch:
    """A named mask on the grid in the middle: that of the one image, the other, or of both."""
    weight = torch.ones(1, 1, *space.shape, device=sides[0].data.device)
    for side in sides:
        weight = weight * side.counted(reading(side.carry, side.space, space), space)
    return weight

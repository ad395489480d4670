"""Stage: one step of a recipe, from a transform to a better one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch

from pullback import ops
from pullback.energy import Compared, Energy, Pair, described
from pullback.energy.energy import region
from pullback.energy.least_squares import is_least_squares, least_squares
from pullback.energy.pair import Key, overlap, shared
from pullback.energy.part import ImagePart, Part
from pullback.errors import RecipeError
from pullback.optimise import (
    Level,
    Linear,
    Objective,
    Optimiser,
    Parametrisation,
    Params,
    Schedule,
    Solution,
    Status,
    minimise,
)
from pullback.optimise.schedule import level_shape
from pullback.registration.ends import without_ends
from pullback.registration.outcome import LevelHistory, Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.replay import replay
from pullback.registration.scatter import SEED, scattered
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Batch, Tensor

COVERED = 0.98
"""Share of the fixed image that the moving one must hold for the rest not to be worth the search."""

LEAST_OVERLAP = 0.05
"""Share of the smaller image that must lie in the other for there to be something to compare."""
FIRST_DRAW = 1000
"""Seed of the first of the fresh sets of random places."""
PICTURE = 2
"""Dimensions of an image that has one axis to turn about."""
LITTLE_FINER = 1.5
"""A moving image finer than its level by less than this factor is not shrunk."""


class Stage(ABC):
    """Classical or learned, a stage has one signature: two images and a transform in, a better transform out.

    Attributes:
        finishes: whether it makes a result more precise by the two images alone, whatever else was compared before.
    """

    finishes: ClassVar[bool] = False

    @abstractmethod
    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """Improve `initial`.

        Args:
            fixed: the image that stays.
            moving: the image that is pulled back.
            initial: fixed world -> moving world, as known so far.
            watch: called after every step.
        """

    def suits(self, dimension: int) -> bool:
        """Whether it is meant for images of so many dimensions; see `Recipe.suiting`."""
        del dimension
        return True

    @property
    @abstractmethod
    def name(self) -> str:
        """What the stage does, in a word or two."""

    @property
    def work(self) -> float:
        """How long the stage takes, in steps at full resolution, were every step to be taken."""
        return 0.0


@dataclass(frozen=True)
class Optimise(Stage):
    """Minimise an energy from coarse to fine.

    Attributes:
        model: which numbers are optimised.
        energy: what is minimised.
        optimiser: how.
        schedule: at which resolutions, for how long.
        samples: at how many random places of the fixed image to compare, at most; at every voxel if None. For models
            that do not move each voxel by itself.
        turns_degrees: of a picture, set out also from starts turned by these about its middle, and keep the lowest
            loss: for measures that follow edges, which have many small dips. Volumes are not turned.
        dimension: 2 for a stage that only pictures go through, 3 for one that only volumes do; null for both.

    Raises:
        RecipeError: samples or turns are asked for with a model that moves each voxel by itself.
    """

    model: Parametrisation
    energy: Energy
    optimiser: Optimiser
    schedule: Schedule
    samples: int | None = None
    turns_degrees: tuple[float, ...] | None = None
    dimension: int | None = None

    def __post_init__(self) -> None:
        if self.turns_degrees is not None and not isinstance(self.model, Linear):
            raise RecipeError(f"turned starts suit linear models; got a {self.model.name} one: leave turns_degrees out")
        if self.samples is not None and self.model.dense:
            raise RecipeError(f"samples suit models of fewer numbers; a {self.model.name} one needs every voxel: leave "
                              "samples out")  # fmt: skip

    def suits(self, dimension: int) -> bool:
        """See `Stage`."""
        return self.dimension in (None, dimension)

    @property
    def name(self) -> str:
        """See `Stage`."""
        return self.model.name

    @property
    def work(self) -> float:
        """See `Stage`."""
        return sum(level_work(level) for level in self.schedule.levels)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        outcomes = [self._run(fixed, moving, initial, watch)]
        if outcomes[0].status.ok and fixed.space.dimension == PICTURE:
            turned = (initial @ turn for turn in map(partial(_turn, fixed.space), self.turns_degrees or ()))
            outcomes += [self._run(fixed, moving, start, ignore) for start in turned]
        return min((o for o in outcomes if o.status.ok), key=_last_loss, default=outcomes[0])

    def _run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch) -> Outcome:
        """From one start."""
        found: list[Solution] = []  # of the last level, until the next one starts from it: its memory is then free
        history: list[LevelHistory] = []
        done = 0.0
        for number, level in enumerate(self.schedule.levels, start=1):
            pair = at_level(fixed, moving, level, (*self.energy.keys, *((None, name) for name in self.model.masks)))
            if shared(pair, self._known(found, initial)) < LEAST_OVERLAP:
                return Outcome(self.name, initial, Status.no_overlap, tuple(history))
            space = pair.fixed_space
            masks = {name: region(pair, name) for name in self.model.masks if (None, name) in pair.also}
            start = partial(self._start, found, space, initial, str(fixed.data.device), masks)
            told = Teller(self.name, self.schedule, number, done / self.work, level_work(level) / self.work, watch)
            with ops.reused():
                found.append(
                    self._level(self._compared(pair, self._known(found, initial)), start, space.finest, level, told)
                )
            history.append(LevelHistory(space.spacing, found[0].history))
            done += level_work(level)
            if not found[0].status.ok:
                break
        solution = found[0]
        return Outcome(self.name, self.model.build(solution.params), solution.status, tuple(history))

    def _compared(self, pair: Pair, known: Transform) -> Compared:
        """What is minimised, and the images as each of its parts sees them."""
        compared = self.energy.on(pair)
        return replace(compared, parts=tuple(self._seen(part, known) for part in compared.parts))

    def _seen(self, part: Part, known: Transform) -> Part:
        if not isinstance(part, ImagePart):
            return part
        pair = part.pair if self.model.local else without_ends(part.pair)
        energy, pair = described(Energy(part.similarity), pair, known)
        pair = replace(pair, covered=self.model.local and overlap(pair, known) > COVERED)
        return replace(part, similarity=energy.similarity, pair=pair)

    def _known(self, coarser: list[Solution], initial: Transform) -> Transform:
        return self.model.build(coarser[0].params) if coarser else initial

    def _start(
        self, coarser: list[Solution], space: Space, initial: Transform, device: str, masks: Mapping[str, Batch]
    ) -> Params:
        """The numbers to start from; takes the coarser level's out of the list."""
        if not coarser:
            return self.model.placed(self.model.start(space, initial, device), masks)
        return self.model.placed(self.model.refine(coarser.pop().params, space), masks)

    def _level(
        self, compared: Compared, start: Callable[[], Params], unit_mm: float, level: Level, told: Teller
    ) -> Solution:
        """Only the loop holds the numbers from which it starts, so that their memory is soon free."""
        if self.samples is not None:
            compared = replace(compared, parts=tuple(map(_laid_out, compared.parts)))
        there = self._drawn(compared)
        objective = Objective(
            lambda p: there.loss(self.model.build(p)),
            self.model,
            (lambda p: there.loss_and_force(self.model.build(p), p.space)) if self.model.composed else None,
            curved=self._curved(there),
            whole=replay(there, self.model),
            redraw=partial(self._redrawn, compared) if self.samples is not None else None,
        )
        return minimise(
            objective,
            start(),
            self.optimiser,
            steps=level.steps,
            unit_mm=unit_mm,
            tolerance=self.schedule.tolerance,
            shortest_mm=self.schedule.shortest_voxels * unit_mm,
            least_gradient=self.schedule.least_gradient,
            watch=told,
        )

    def likeness(self, pair: Pair, known: Transform) -> Compared:
        """The similarity alone, as a level sees it: at random places or by features, where the stage compares so.

        What lies outside the moving image does not count, also where the stage looks away from it (`Pair.covered`).
        """
        plain = replace(self, energy=Energy(self.energy.similarity))
        drawn = plain._drawn(plain._compared(pair, known))
        parts = (
            replace(part, pair=replace(part.pair, covered=False)) if isinstance(part, ImagePart) else part
            for part in drawn.parts
        )
        return replace(drawn, parts=tuple(parts))

    def _drawn(self, compared: Compared, seed: int = SEED) -> Compared:
        """The same at random places, where those are wanted."""
        if self.samples is None:
            return compared
        return replace(compared, parts=tuple(_scattered(part, self.samples, seed) for part in compared.parts))

    def _redrawn(self, compared: Compared, number: int) -> Callable[[Params], Tensor]:
        """The loss at other random places; each set has a number."""
        there = self._drawn(compared, FIRST_DRAW + number)
        return lambda p: there.loss(self.model.build(p))

    def _curved(self, compared: Compared) -> Callable[[Params], tuple[float, Tensor, Tensor]] | None:
        """Loss, gradient and curvature, where the energy is a sum of squares of a matrix."""
        part = compared.parts[0]
        if not (isinstance(self.model, Linear) and is_least_squares(self.energy) and isinstance(part, ImagePart)):
            return None
        return lambda p: least_squares(
            self.energy, part.pair, lambda v: self.model.build(replace(p, values=v)), p.values
        )


@dataclass(frozen=True)
class Teller:
    """Turns a step of the loop into a `Step` for whoever watches.

    Attributes:
        stage: what runs.
        schedule: its levels.
        number: which of them, from 1.
        done: the share of the stage's work that was done before this level.
        part: the share of this level.
        watch: whom to tell.
    """

    stage: str
    schedule: Schedule
    number: int
    done: float
    part: float
    watch: Watch

    def __call__(self, step: int, loss: float) -> None:
        """Tell of one step."""
        levels, steps = len(self.schedule.levels), self.schedule.levels[self.number - 1].steps
        share = self.done + self.part * step / steps
        self.watch(Step(self.stage, self.number, levels, step, steps, loss, share))


def _turn(space: Space, degrees: float) -> Affine:
    """A picture's turn about its middle."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine.about(torch.tensor([[c, -s], [s, c]], dtype=torch.float64), centre=space.centre)


def _last_loss(outcome: Outcome) -> float:
    return outcome.history[-1].losses[-1]


def _laid_out(part: Part) -> Part:
    """The part with its moving image as its measure reads it fastest, again and again."""
    if not isinstance(part, ImagePart):
        return part
    return replace(part, pair=replace(part.pair, moving=part.similarity.arranged(part.pair.moving)))


def _scattered(part: Part, samples: int, seed: int) -> Part:
    """The part at random places, its fixed image likewise."""
    if not isinstance(part, ImagePart):
        return part
    pair = scattered(part.pair, samples, seed)
    return replace(part, pair=replace(pair, fixed=part.similarity.arranged(pair.fixed)))


def level_work(level: Level) -> float:
    """How long a level takes, in steps at full resolution."""
    return level.steps / level.shrink**2


def at_level(fixed: Prepared, moving: Prepared, level: Level, keys: tuple[Key, ...] = ()) -> Pair:
    """Both images at the resolution of a level; the fixed image's finest axis sets the voxel size.

    A moving image that is only a little finer than that stays whole. At a shrink factor such as 1.25 the two grids then
    never fall on each other: if they did, a shift by whole voxels would read the moving image without any blur, others
    with, and mutual information takes less noise for better alignment (Pluim et al., Computer Vision and Image
    Understanding 77(2), 2000).

    Args:
        fixed: with what terms compare beside it.
        moving: likewise.
        level: the resolution.
        keys: the further images and masks that come along.
    """
    spacing_mm = level.spacing_mm(fixed.space)
    pair = _shrunk(fixed, moving, spacing_mm)
    if not fixed.also and fixed.landmarks is None and fixed.surfaces is None:
        return pair
    also = {key: _shrunk(fixed.also[key], moving.also[key], spacing_mm) for key in keys if key in fixed.also}
    return replace(pair, also=also, landmarks=fixed.landmarks, surfaces=fixed.surfaces)


def _shrunk(fixed: Prepared, moving: Prepared, spacing_mm: float) -> Pair:
    f = fixed.on_level(fixed.space.resized(level_shape(fixed.space, spacing_mm)))
    m = moving.on_level(moving.space.resized(level_shape(moving.space, spacing_mm, LITTLE_FINER)))
    return Pair(f.data, m.data, f.space, m.space, f.weight, m.weight)

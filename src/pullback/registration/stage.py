"""Stage: one step of a recipe, from a transform to a better one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from pullback import ops
from pullback.energy import Energy, Pair, described
from pullback.energy.energy import overlap, shared
from pullback.errors import RecipeError
from pullback.optimise import Level, Objective, Optimiser, Parametrisation, Params, Schedule, Solution, Status, minimise
from pullback.optimise.schedule import level_shape
from pullback.registration.ends import without_ends
from pullback.registration.outcome import LevelHistory, Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.scatter import scattered
from pullback.space import Space
from pullback.transforms import Transform

COVERED = 0.98
"""Share of the fixed image that the moving one must hold for the rest not to be worth the search."""

LEAST_OVERLAP = 0.05
"""Share of the smaller image that must lie in the other for there to be something to compare."""
LITTLE_FINER = 1.5
"""A moving image finer than its level by less than this factor is not shrunk."""


class Stage(ABC):
    """Classical or learned, a stage has one signature: two images and a transform in, a better transform out."""

    @abstractmethod
    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """Improve `initial`.

        Args:
            fixed: the image that stays.
            moving: the image that is pulled back.
            initial: fixed world -> moving world, as known so far.
            watch: called after every step.
        """

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
        samples: at how many random places of the fixed image to compare, at most; at every voxel if None. For models of
            a few numbers.

    Raises:
        RecipeError: samples are asked for with a model that moves each voxel by itself.
    """

    model: Parametrisation
    energy: Energy
    optimiser: Optimiser
    schedule: Schedule
    samples: int | None = None

    def __post_init__(self) -> None:
        if self.samples is not None and self.model.local:
            raise RecipeError(f"samples suit models of a few numbers; a {self.model.name} one needs every voxel: leave "
                              "samples out")  # fmt: skip

    @property
    def name(self) -> str:
        """See `Stage`."""
        return self.model.name

    @property
    def work(self) -> float:
        """See `Stage`."""
        return sum(_cost(level) for level in self.schedule.levels)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        solution: Solution | None = None
        history: list[LevelHistory] = []
        done = 0.0
        for number, level in enumerate(self.schedule.levels, start=1):
            pair = at_level(fixed, moving, level)
            known = initial if solution is None else self.model.build(solution.params)
            if shared(pair, known) < LEAST_OVERLAP:
                return Outcome(self.name, initial, Status.no_overlap, tuple(history))
            space = pair.fixed_space
            start = partial(self._start, solution, space, initial, str(fixed.data.device))
            told = _Teller(self, number, level, done, watch)
            with ops.reused():
                solution = self._level(*self._compared(pair, known), start, space.finest, level, told)
            history.append(LevelHistory(space.spacing, solution.history))
            done += _cost(level)
            if not solution.status.ok:
                break
        assert solution is not None
        return Outcome(self.name, self.model.build(solution.params), solution.status, tuple(history))

    def _compared(self, pair: Pair, known: Transform) -> tuple[Energy, Pair]:
        """What is minimised, and the images as it sees them."""
        pair = pair if self.model.local else without_ends(pair)
        energy, pair = described(self.energy, pair, known)
        pair = pair if self.samples is None else scattered(pair, self.samples)
        return energy, replace(pair, covered=self.model.local and overlap(pair, known) > COVERED)

    def _start(self, coarser: Solution | None, space: Space, initial: Transform, device: str) -> Params:
        if coarser is None:
            return self.model.start(space, initial, device)
        return self.model.refine(coarser.params, space)

    def _level(
        self, energy: Energy, pair: Pair, start: Callable[[], Params], unit_mm: float, level: Level, told: _Teller
    ) -> Solution:
        """Only the loop holds the numbers from which it starts, so that their memory is soon free."""
        objective = Objective(
            lambda p: energy.loss(pair, self.model.build(p)),
            self.model,
            (lambda p: energy.loss_and_force(pair, self.model.build(p))) if self.model.composed else None,
        )
        return minimise(
            objective,
            start(),
            self.optimiser,
            steps=level.steps,
            unit_mm=unit_mm,
            tolerance=self.schedule.tolerance,
            watch=told,
        )


@dataclass(frozen=True)
class _Teller:
    """Turns a step of the loop into a `Step` for whoever watches."""

    stage: Optimise
    number: int
    level: Level
    done: float
    watch: Watch

    def __call__(self, step: int, loss: float) -> None:
        levels = self.stage.schedule.levels
        share = (self.done + _cost(self.level) * step / self.level.steps) / max(self.stage.work, 1e-9)
        self.watch(Step(self.stage.name, self.number, len(levels), step, self.level.steps, loss, share))


def _cost(level: Level) -> float:
    return level.steps / level.shrink**2


def at_level(fixed: Prepared, moving: Prepared, level: Level) -> Pair:
    """Both images at the resolution of a level; the fixed image's finest axis sets the voxel size.

    A moving image that is only a little finer than that stays whole. At a shrink factor such as 1.25 the two grids then
    never fall on each other: if they did, a shift by whole voxels would read the moving image without any blur, others
    with, and mutual information takes less noise for better alignment (Pluim et al., Computer Vision and Image
    Understanding 77(2), 2000).
    """
    spacing_mm = level.spacing_mm(fixed.space)
    f = fixed.on_level(fixed.space.resized(level_shape(fixed.space, spacing_mm)))
    m = moving.on_level(moving.space.resized(level_shape(moving.space, spacing_mm, LITTLE_FINER)))
    return Pair(f.data, m.data, f.space, m.space, f.weight, m.weight)

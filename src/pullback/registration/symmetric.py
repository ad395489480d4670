"""Symmetric: both images move, and meet in the middle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.energy import Energy
from pullback.energy.energy import shared
from pullback.energy.meeting import Meeting, Side
from pullback.energy.meetings import meetings
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
from pullback.optimise.parametrisation.halve import halved
from pullback.optimise.parametrisation.halved import Halved
from pullback.optimise.schedule import level_shape
from pullback.registration.outcome import LevelHistory, Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.scatter import places
from pullback.registration.stage import COVERED, LEAST_OVERLAP, LITTLE_FINER, Stage, Teller, at_level, level_work
from pullback.space import Space
from pullback.transforms import Affine, Halfway, Transform
from pullback.transforms.halfway import halves
from pullback.transforms.split import split
from pullback.typing import Tensor

IN_STEP = 0.5
"""Grids whose steps differ by less than this part of one are averaged."""


@dataclass(frozen=True)
class Symmetric(Stage):
    """Pull both images to a grid in the middle, and improve both halves by forces on either image.

    Neither image is treated in another way than the other: swapping them gives the inverse, up to rounding and how the
    stages before it differ. A transform found before is halved (a matrix by its square root; a deformation stays whole,
    on the moving side). Avants et al., Medical Image Analysis 12(1), 2008; Reuter and Fischl, NeuroImage 57(1), 2011.

    Attributes:
        model: what each half is: Linear, Greedy, SVF, TimeVaryingVelocity, Smoothed or BSpline.
        energy: what is minimised in the middle: its terms may name further images, masks, landmarks and surfaces.
        optimiser: how.
        schedule: at which resolutions, for how long; voxels are the mean of both images' finest.
        samples: at how many random places of the middle grid to compare, at most; at every voxel if None. For models
            that do not move each voxel by itself.

    Raises:
        RecipeError: the model cannot be halved, or samples are asked for with one that moves each voxel by itself.
    """

    model: Parametrisation
    energy: Energy
    optimiser: Optimiser
    schedule: Schedule
    samples: int | None = None

    def __post_init__(self) -> None:
        halved(self.model)
        if self.model.dense and self.samples is not None:
            raise RecipeError(f"samples suit models of a few numbers; a {self.model.name} one needs every voxel: leave "
                              "samples out")  # fmt: skip

    @property
    def name(self) -> str:
        """See `Stage`."""
        return halved(self.model).name

    @property
    def work(self) -> float:
        """See `Stage`."""
        return 2 * sum(level_work(level) for level in self.schedule.levels)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        model, solution = halved(self.model), None
        if shared(at_level(fixed, moving, self.schedule.levels[0]), initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        to_fixed, to_moving = halves(initial)
        middle = middle_grid(fixed.space, moving.space, to_fixed, to_moving)
        start = Halfway(to_fixed, to_moving, middle)
        history: list[LevelHistory] = []
        done = 0.0
        for number, level in enumerate(self.schedule.levels, start=1):
            told = Teller(self.name, self.schedule, number, done / self.work, 2 * level_work(level) / self.work, watch)
            with ops.reused():
                solution = self._level(fixed, moving, start, model, level, solution, told)
            history.append(LevelHistory(solution.params.space.spacing, solution.history))
            done += 2 * level_work(level)
            if not solution.status.ok:
                break
        assert solution is not None
        found = model.build(solution.params)
        whole = found.whole if isinstance(self.model, Linear) else found
        return Outcome(self.name, whole if isinstance(whole, Affine) else found, solution.status, tuple(history))

    def _level(
        self,
        fixed: Prepared,
        moving: Prepared,
        start: Halfway,
        model: Halved,
        level: Level,
        coarser: Solution | None,
        told: Teller,
    ) -> Solution:
        """One resolution, from where the last one ended."""
        spacing_mm = level.shrink * (fixed.space.finest + moving.space.finest) / 2
        grid = start.space.resized(level_shape(start.space, spacing_mm))
        device = str(fixed.data.device)
        params = model.start(grid, start, device) if coarser is None else model.refine(coarser.params, grid)
        pairs = {(None, None): (fixed, moving)} | {key: (fixed.also[key], moving.also[key]) for key in self.energy.keys}
        sides = {
            key: (_side(one, start.to_fixed, spacing_mm), _side(other, start.to_moving, spacing_mm))
            for key, (one, other) in pairs.items()
        }

        def settle(met: Meeting) -> Meeting:
            met = replace(met, covered=model.local and met.met(*model.halves(params)) > COVERED).described()
            if self.samples is None:
                return met
            scatter = places(grid, self.samples, device)
            return replace(met, space=scatter.space, scatter=scatter)

        meeting = meetings(self.energy, sides, grid, fixed.landmarks, settle, fixed.surfaces)

        def forces(p: Params) -> tuple[float, Tensor]:
            loss, both = meeting.loss_and_forces(*model.halves(p))
            return loss, model.joined(both)

        objective = Objective(lambda p: meeting.loss(*model.halves(p)), model, forces if model.composed else None)
        return minimise(
            objective,
            params,
            self.optimiser,
            steps=level.steps,
            unit_mm=grid.finest,
            tolerance=self.schedule.tolerance,
            shortest_mm=self.schedule.shortest_voxels * grid.finest,
            least_gradient=self.schedule.least_gradient,
            watch=told,
        )


def _side(image: Prepared, carry: Transform, spacing_mm: float) -> Side:
    level = image.on_level(image.space.resized(level_shape(image.space, spacing_mm, LITTLE_FINER)))
    return Side(level.data, level.space, level.weight, carry)


def middle_grid(fixed: Space, moving: Space, to_fixed: Transform, to_moving: Transform) -> Space:
    """A grid in the middle world, the same whichever image is called fixed.

    The mean of both images' grids as they lie in the middle, if they have one shape and lie nearly alike; else the one
    with the smaller, or more, voxels. Its axes are at right angles. Deformations are left out of account.
    """
    mine, others = (
        Space(space.shape, _affine(half, space).inverse().matrix @ space.matrix)
        for space, half in ((fixed, to_fixed), (moving, to_moving))
    )
    step = mine.inverse[:-1, :-1] @ others.linear
    apart = float((step - torch.eye(len(step), dtype=torch.float64)).abs().max())
    if mine.shape == others.shape and apart < IN_STEP:
        return _right_angled(Space(mine.shape, (mine.matrix + others.matrix) / 2))
    return _right_angled(
        min((mine, others), key=lambda s: (round(float(torch.linalg.det(s.linear).abs()), 6), -s.count, s.shape))
    )


def _right_angled(space: Space) -> Space:
    """The nearest grid whose axes are at right angles, which files of other programs ask for."""
    spacing = torch.tensor(space.spacing, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(space.linear / spacing)
    matrix, middle = space.matrix.clone(), torch.tensor([(n - 1) / 2 for n in space.shape], dtype=torch.float64)
    matrix[:-1, :-1] = (u @ vh) * spacing
    matrix[:-1, -1] = space.centre - matrix[:-1, :-1] @ middle
    return Space(space.shape, matrix)


def _affine(half: Transform, space: Space) -> Affine:
    return split(half, space)[0]

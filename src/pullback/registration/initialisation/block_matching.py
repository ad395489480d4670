"""BlockMatching: a linear map that small blocks of the image agree on, whatever the others say."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import torch

from pullback.energy import Pair
from pullback.energy.energy import shared
from pullback.optimise import Level, Schedule, Status
from pullback.registration.initialisation.blocks import Blocks
from pullback.registration.initialisation.trimmed import Fit, Freedom, trimmed
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, Teller, at_level, level_work
from pullback.space import Space
from pullback.transforms import Affine, Transform

FEWEST = 16
"""Fewer matches than this agree by chance."""
STILL = 0.01
"""A level ends when no corner of the image moves by more than this part of a voxel."""


@dataclass(frozen=True)
class BlockMatching(Stage):
    """Look for each block near where it is expected, fit a linear map to the better half of what was found, and again.

    Every block votes, and the votes that agree decide: where a part of one image is something else (an implant, a
    resection, another posture), its blocks are outvoted, while in a mean over all voxels they keep pulling. For images
    of one contrast, or of contrasts that agree locally. Ourselin et al., Image and Vision Computing 19(1-2), 2001;
    Modat et al., Journal of Medical Imaging 1(2), 2014.

    Attributes:
        freedom: translation, rigid, similarity or affine.
        block_voxels: edge of a block, in voxels of the level's finest axis.
        reach_voxels: how far each is looked for, likewise.
        kept_blocks: the share of the blocks that is looked for, those of most variance.
        kept_matches: the share of what is found that the map is fitted to, what it leaves nearest.
        schedule: at which resolutions, and how many rounds of looking and fitting at each, at most.
    """

    freedom: Freedom = "affine"
    block_voxels: int = 4
    reach_voxels: int = 3
    kept_blocks: float = 0.5
    kept_matches: float = 0.5
    schedule: Schedule = field(default_factory=lambda: Schedule((Level(4, 20), Level(2, 10), Level(1, 5))))

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "block matching"

    @property
    def work(self) -> float:
        """See `Stage`."""
        return sum(level_work(level) for level in self.schedule.levels)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        found, last, done = Affine.identity(fixed.space.dimension), None, 0.0
        for number, level in enumerate(self.schedule.levels, start=1):
            pair = at_level(fixed, moving, level)
            if shared(pair, initial @ found) < LEAST_OVERLAP:
                return Outcome(self.name, initial @ found, Status.no_overlap)
            told = Teller(self.name, self.schedule, number, done / self.work, level_work(level) / self.work, watch)
            fit = self._level(pair, initial, found, level, told)
            if fit is not None:
                found, last = fit.transform, fit
            done += level_work(level)
        if last is None:
            return Outcome(self.name, initial, Status.no_match, notes=("too few blocks were found again",))
        agree = float(last.left_mm.sort().values[: last.kept].square().mean().sqrt())
        note = f"{last.kept} of {len(last.left_mm)} blocks agree to within {agree:.2g} mm (root mean square)"
        return Outcome(self.name, initial @ found, Status.converged, notes=(note,))

    def _level(self, pair: Pair, initial: Transform, found: Affine, level: Level, told: Teller) -> Fit | None:
        """The best map at one resolution; None where too few blocks are found."""
        space, best = pair.fixed_space, None
        blocks = Blocks.of(space, self.block_voxels, self.reach_voxels, self.kept_blocks)
        for step in range(1, level.steps + 1):
            here, matched = blocks.matches(pair, initial @ found)
            fit = trimmed(here, found(matched), self.freedom, self.kept_matches, space) if len(here) >= FEWEST else None
            if fit is None:
                return best
            moved, best, found = _apart(fit.transform, found, space), fit, fit.transform
            told(step, float(fit.left_mm.median()))
            if moved < STILL * space.finest:
                break
        return best


def _apart(one: Affine, other: Affine, space: Space) -> float:
    """How far two maps move the corners of a grid apart, at most."""
    ends = torch.tensor(list(itertools.product(*[(0, n - 1) for n in space.shape])), dtype=torch.float64)
    corners = space.to_world(ends)
    return float((one(corners) - other(corners)).norm(dim=-1).max())

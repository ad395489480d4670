"""Search: find the pose of an image that may lie turned by any angle, and say so where there is none, or several."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch

from pullback.energy import Energy, MutualInformation
from pullback.optimise import LBFGS, Level, Linear, Schedule, Status
from pullback.registration.initialisation.align_centres import principal_axes
from pullback.registration.initialisation.candidate import Candidate
from pullback.registration.initialisation.rotations import (
    even_turns,
    matching_turns,
    nearest_rotation,
    plane_turns,
    quarter_turns,
)
from pullback.registration.initialisation.scene import Scene
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import Optimise, Stage
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Matrix

NEAR = Optimise(Linear("rigid"), Energy(MutualInformation(bins=32)), LBFGS(), Schedule((Level(8, 30), Level(4, 20))))
"""How a pose is improved."""
VOXELS = {2: 64, 3: 32}
"""Poses are compared on a grid with about this many voxels along the longest axis."""
EVEN_TURNS = 72
"""Of a volume, besides quarter turns and those that bring its principal axes together."""
SHIFTS = 2
"""So many of the best shifts of each turn are looked at."""
CHANCE_VOXELS = 4096
"""Where the smaller image has fewer voxels than this on that grid, chance reaches higher scores."""
SAME = 0.15
"""Of poses that place the corners nearer than this to those of a better one, nothing else is expected: next turns."""
APART = 0.25
"""Two poses are different where they place the fixed image's corners this part of its size apart."""


@dataclass(frozen=True)
class Search(Stage):
    """Turn the image step by step, compare its edges with the other's at every shift, and take the pose that wins.

    At each turn the directions of the edges are correlated at all shifts at once, over the part where the images meet
    (see `directions` and `correlate`). A pose's score is atanh(correlation) x sqrt(the share of the smaller image that
    meets the other): what chance can reach grows as that share shrinks (R. A. Fisher, Metron 1, 1921). The best poses
    are improved by mutual information, and the best of those is taken unless the start is about as good.

    A picture is always searched. A volume is searched only where its start, improved, scores less than `sure_score`:
    that takes seconds. An outline alone, with the anatomy in it upside down, was seen to score 0.75. A volume is turned
    so that the principal axes of both images agree, then by quarters, then evenly all round.

    Attributes:
        step_degrees: from one turn of a picture to the next.
        keep: how many of the best poses are improved.
        least_overlap: a pose must place this share of the smaller image inside the other.
        margin: another pose must be better than the start by this part of its score.
        sure_score: a volume whose start scores this is not searched.
        least_score: below it the images are as alike as strangers: the search has failed.
        rival: where a pose that lies elsewhere reaches this part of the best score, and the start does not, the answer
            is ambiguous.
    """

    step_degrees: float = 10.0
    keep: int = 6
    least_overlap: float = 0.3
    margin: float = 0.05
    sure_score: float = 1.0
    least_score: float = 0.18
    rival: float = 0.97

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "search"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        if not isinstance(initial, Affine):
            return Outcome(self.name, initial, Status.converged, notes=("starts from a deformation: no search",))
        d = fixed.space.dimension
        scene = Scene.of(fixed, moving, initial, VOXELS[d], self.least_overlap)
        start = self._improved(fixed, moving, scene, Candidate("the start", initial, 0.0, 1.0))
        if d == 3 and start is not None and -start.loss >= self.sure_score:
            return Outcome(self.name, start.transform, Status.converged, notes=(f"the start fits{_told(start)}",))
        poses = [] if start is None else [start]
        for turns in self._turns(fixed, moving, scene):
            found = sorted(scene.best_shifts(turns, SHIFTS), key=lambda pose: pose.loss)[: self.keep]
            improved = [self._improved(fixed, moving, scene, pose) for pose in _distinct(found, scene.grid)]
            poses = sorted((p for p in (*poses, *improved) if p is not None), key=lambda pose: pose.loss)
            if d == 3 and poses and -poses[0].loss >= self.sure_score:
                break
        return self._chosen(poses, start, scene, initial)

    def _chosen(self, poses: list[Candidate], start: Candidate | None, scene: Scene, initial: Transform) -> Outcome:
        """The best pose, with what there is to say about it."""
        if not poses:
            return Outcome(self.name, initial, Status.no_overlap)
        best = poses[0]
        if start is not None and -start.loss >= -best.loss * (1 - self.margin):
            best = start
        notes: tuple[str, ...] = (f"{best.name}{_told(best)}",)
        status = Status.converged
        other = next((pose for pose in poses if _apart(pose, best, scene.grid) > APART), None)
        if other is not None:
            notes = (*notes, f"next: {other.name}{_told(other)}")
        if -best.loss < self._least(scene):
            status = Status.no_match
        elif other is not None and best is not start and -other.loss >= -best.loss * self.rival:
            status = Status.ambiguous
        return Outcome(self.name, best.transform, status, notes=notes)

    def _least(self, scene: Scene) -> float:
        """The score that chance does not reach; by chance, correlations fall with the root of the number of voxels."""
        return self.least_score * math.sqrt(max(1.0, CHANCE_VOXELS / scene.smaller))

    def _turns(self, fixed: Prepared, moving: Prepared, scene: Scene) -> tuple[dict[str, Matrix], ...]:
        """Sets of turns, the likelier first."""
        if fixed.space.dimension == 2:
            return (plane_turns(self.step_degrees),)
        back = nearest_rotation(torch.linalg.inv(scene.initial.linear))
        matching = matching_turns(principal_axes(fixed), back @ principal_axes(moving))
        return matching, quarter_turns(scene.grid.linear / scene.grid.finest), even_turns(EVEN_TURNS)

    def _improved(self, fixed: Prepared, moving: Prepared, scene: Scene, pose: Candidate) -> Candidate | None:
        """A pose after some steps, or before them where they lead to a worse one; None where the images do not meet."""
        stepped = NEAR.run(fixed, moving, pose.transform).transform
        assert isinstance(stepped, Affine)
        both = [scene.posed(t, pose.name) for t in (stepped, pose.transform) if isinstance(t, Affine)]
        return min((p for p in both if p is not None), key=lambda p: p.loss, default=None)


def _distinct(poses: list[Candidate], space: Space) -> list[Candidate]:
    """The poses, the best first, but for those that lead where a better one leads."""
    kept: list[Candidate] = []
    for pose in poses:
        if all(_apart(pose, better, space) > SAME for better in kept):
            kept.append(pose)
    return kept


def _told(pose: Candidate) -> str:
    return f" (score {-pose.loss:.2f})"


def _apart(one: Candidate, other: Candidate, space: Space) -> float:
    """How far two poses lie apart, in sizes of the image: the mean over its corners."""
    ends = torch.tensor(list(itertools.product(*[(0, n - 1) for n in space.shape])), dtype=torch.float64)
    corners = space.to_world(ends)
    return float((one.transform(corners) - other.transform(corners)).norm(dim=-1).mean()) / max(space.extent)

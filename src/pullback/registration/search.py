"""Search: find the pose of a picture that may lie turned by any angle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from pullback.energy import Energy, MutualInformation, Pair, Similarity
from pullback.energy.pair import shared
from pullback.energy.terms import keys
from pullback.optimise import LBFGS, Level, Linear, Schedule, Status
from pullback.registration.candidate import Candidate
from pullback.registration.initialise import centre_of_mass
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import Optimise, Stage, at_level
from pullback.transforms import Affine, Transform
from pullback.transforms.affine import rotation

COARSE_VOXELS = 64
"""Poses are compared at a resolution with about this many voxels along the longest axis."""
NEAR = Optimise(Linear("rigid"), Energy(MutualInformation(bins=32)), LBFGS(), Schedule((Level(8, 30), Level(4, 20))))
"""How a pose is improved."""


@dataclass(frozen=True)
class Search(Stage):
    """Turn the image step by step, improve the best poses a little, and take the one that wins.

    For pictures: a volume that lies turned by more than some 40 degrees against its header is rare, and passes through
    unchanged. Each turn is tried about the middles of the fields of view, about the centres of mass, and in place.

    Attributes:
        step_degrees: from one turn to the next.
        keep: how many of the best poses are improved.
        similarity: how poses are compared.
        least_overlap: a pose must place this share of the smaller image inside the other.
        margin: a turned pose must be better than the start by this part of its loss.
    """

    step_degrees: float = 15.0
    keep: int = 12
    similarity: Similarity = field(default_factory=lambda: MutualInformation(bins=16))
    least_overlap: float = 0.3
    margin: float = 0.02

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "search"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        if fixed.space.dimension != 2:
            return Outcome(self.name, initial, Status.converged, notes=("a volume: no search",))
        level = Level(max(1.0, max(fixed.space.extent) / fixed.space.finest / COARSE_VOXELS), 1)
        pair = at_level(fixed, moving, level, keys(self.similarity))
        start = self._pose(pair, initial, "0 degrees")
        if start is None:
            return Outcome(self.name, initial, Status.converged, notes=("too little overlap to search",))
        found = [
            pose for pose in (self._pose(pair, t, name) for name, t in self._turned(pair, initial)) if pose is not None
        ]
        worst = max(pose.loss for pose in (start, *found))
        best = sorted(found, key=lambda pose: pose.unlike(worst))[: self.keep]
        improved = [self._improved(fixed, moving, pair, pose) for pose in (start, *best)]
        start, winner = improved[0], min(improved, key=lambda pose: pose.unlike(worst))
        if winner.unlike(worst) >= start.unlike(worst) * (1 - self.margin):
            winner = start
        return Outcome(self.name, winner.transform, Status.converged, notes=(f"turned by {winner.name}",))

    def _turned(self, pair: Pair, initial: Transform) -> Iterator[tuple[str, Transform]]:
        """Every turn about every centre."""
        back = initial.inverse()
        mass = centre_of_mass(pair.fixed, pair.fixed_weight, pair.fixed_space)
        there = back(centre_of_mass(pair.moving, pair.moving_weight, pair.moving_space))
        view, beyond = pair.fixed_space.centre, back(pair.moving_space.centre)
        for k in range(int(360 / self.step_degrees)):
            degrees = 180.0 - k * self.step_degrees
            for centre, goal in ((mass, there), (view, beyond), (mass, mass)):
                turn = Affine.about(rotation([degrees], 2), goal - centre, centre)
                yield f"{degrees:g} degrees", initial @ turn

    def _pose(self, pair: Pair, transform: Transform, name: str) -> Candidate | None:
        met = min(1.0, shared(pair, transform))
        if met < self.least_overlap:
            return None
        with torch.no_grad():
            return Candidate(name, transform, float(Energy(self.similarity).loss(pair, transform)), met)

    def _improved(self, fixed: Prepared, moving: Prepared, pair: Pair, pose: Candidate) -> Candidate:
        """A pose after some steps, or itself where they lead out of view."""
        return self._pose(pair, NEAR.run(fixed, moving, pose.transform).transform, pose.name) or pose

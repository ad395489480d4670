"""Nudge: the best shift near a start that is trusted more than the images."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import torch

from pullback.energy import Energy, MutualInformation, Pair, Similarity
from pullback.energy.energy import shared
from pullback.optimise import Level, Status
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.transforms import Affine, Transform
from pullback.typing import Tensor

STEPS = 2
"""So many steps to either side are tried along each axis, then half steps about the best, then quarters."""
HALVINGS = 2


@dataclass(frozen=True)
class Nudge(Stage):
    """Minimise loss(shift) + pull_per_mm2 |shift|^2 over shifts within `reach_mm`, by trying them from coarse to fine.

    For images that share so little that a free optimum of any measure is often elsewhere: the loss decides only as far
    as it outweighs the distance, which stands for how far starts of this kind are usually off.

    Attributes:
        reach_mm: the farthest shift along each axis.
        pull_per_mm2: what a squared mm costs, in units of the loss.
        shrink: voxel size at which shifts are compared, in voxels of the fixed image's finest axis.
        similarity: by which they are compared.
    """

    reach_mm: float = 5.0
    pull_per_mm2: float = 0.003
    shrink: float = 2.0
    similarity: Similarity = field(default_factory=lambda: MutualInformation(bins=16))

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "nudge"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        pair = at_level(fixed, moving, Level(self.shrink, 1))
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        axes = [a for a, n in enumerate(pair.fixed_space.shape) if n > 1]
        way = pair.fixed_space.linear[:, axes] / pair.fixed_space.linear[:, axes].norm(dim=0)
        best, step, count = torch.zeros(len(axes), dtype=torch.float64), self.reach_mm / STEPS, STEPS
        for _ in range(1 + HALVINGS):
            tried = [
                best + step * torch.tensor(k, dtype=torch.float64)
                for k in product(range(-count, count + 1), repeat=len(axes))
            ]
            best = min(tried, key=lambda s: self._cost(pair, initial, way @ s))
            step, count = step / 2, 1
        note = f"shifted by {float(best.norm()):.1f} mm"
        return Outcome(self.name, initial @ Affine.translation(way @ best), Status.converged, notes=(note,))

    def _cost(self, pair: Pair, initial: Transform, shift: Tensor) -> float:
        transform = initial @ Affine.translation(shift)
        if shared(pair, transform) < LEAST_OVERLAP:
            return float("inf")
        with torch.no_grad():
            loss = float(Energy(self.similarity).loss(pair, transform))
        return loss + self.pull_per_mm2 * float(shift.square().sum())

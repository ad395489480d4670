"""Nudge: the best shift near a start that is trusted more than the images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import torch

from pullback.energy import Compared, Energy, MutualInformation, Pair, Similarity
from pullback.energy.energy import shared
from pullback.optimise import LBFGS, Level, Linear, Schedule, Status
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Optimise, Stage, at_level
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
        window_mm: sigma of a Gaussian about the middle of the fixed image by which its voxels count; all alike if null.
            For images cut out about one organ: what lies at their rims is something else in each.
    """

    reach_mm: float = 5.0
    pull_per_mm2: float = 0.003
    shrink: float = 2.0
    similarity: Similarity = field(default_factory=lambda: MutualInformation(bins=16))
    window_mm: float | None = None

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "nudge"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        pair = self._windowed(at_level(fixed, moving, Level(self.shrink, 1)))
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        compared = self._compared(pair, initial)
        axes = [a for a, n in enumerate(pair.fixed_space.shape) if n > 1]
        way = pair.fixed_space.linear[:, axes] / pair.fixed_space.linear[:, axes].norm(dim=0)
        best, step, count = torch.zeros(len(axes), dtype=torch.float64), self.reach_mm / STEPS, STEPS
        for _ in range(1 + HALVINGS):
            tried = [
                best + step * torch.tensor(k, dtype=torch.float64)
                for k in product(range(-count, count + 1), repeat=len(axes))
            ]
            best = min(tried, key=lambda s: self._cost(pair, compared, initial, way @ s))
            step, count = step / 2, 1
        note = f"shifted by {float(best.norm()):.1f} mm"
        return Outcome(self.name, initial @ Affine.translation(way @ best), Status.converged, notes=(note,))

    def _windowed(self, pair: Pair) -> Pair:
        if self.window_mm is None:
            return pair
        away = (pair.fixed_space.grid() - pair.fixed_space.centre).square().sum(dim=-1)
        window = torch.exp(-away / (2 * self.window_mm**2)).to(pair.fixed)[None, None]
        return replace(pair, fixed_weight=window if pair.fixed_weight is None else window * pair.fixed_weight)

    def _compared(self, pair: Pair, initial: Transform) -> Compared:
        """With what can be described once described: under a shift, descriptors move along."""
        level = Schedule((Level(self.shrink, 1),))
        return Optimise(Linear("translation"), Energy(self.similarity), LBFGS(), level).likeness(pair, initial)

    def _cost(self, pair: Pair, compared: Compared, initial: Transform, shift: Tensor) -> float:
        transform = initial @ Affine.translation(shift)
        if shared(pair, transform) < LEAST_OVERLAP:
            return float("inf")
        with torch.no_grad():
            loss = float(compared.loss(transform))
        return loss + self.pull_per_mm2 * float(shift.square().sum())

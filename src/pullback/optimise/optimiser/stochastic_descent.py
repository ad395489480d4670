"""Stochastic descent: every step looks at a few fresh random places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.optimiser import Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor

FIRST_LOOKS = 4
"""Gradients whose mean length sets the scale of the steps."""
AHEAD, BACK, SLACK = 1.0, -0.5, 0.1
"""How far one step moves the clock at most when gradients disagree, when they agree, and how soon it decides."""


@dataclass(frozen=True)
class Clock:
    """How far a stochastic descent has decayed.

    Attributes:
        first_mm: length of the first step.
        count: draws made so far.
        time: what the decay depends on; it runs while gradients disagree and goes back while they agree.
        scale: mm for each unit of gradient, or None before the first step.
        gradient: the last one.
        last_mm: length of the last step.
    """

    first_mm: float
    count: int = 0
    time: float = 0.0
    scale: float | None = None
    gradient: Tensor | None = None
    last_mm: float = math.inf


@dataclass(frozen=True)
class StochasticDescent(Optimiser):
    """Short steps down gradients of a few fresh random places each, ever shorter; for models of a few numbers.

    Needs a stage with `samples`: a few thousand are plenty. The length falls as 1 / (1 + time / patience), and time
    runs while successive gradients disagree: Klein et al., International Journal of Computer Vision 81(3), 2009, though
    the first length is set by `step_voxels` alone. The result is the last point, or the start where that is better.

    Attributes:
        step_voxels: about how far the first step moves a voxel, in voxels of the level.
        patience: steps of disagreement after which steps are half as long.
    """

    noisy: ClassVar[bool] = True
    step_voxels: float = 1.0
    patience: float = 20.0

    def init(self, params: Params, unit_mm: float) -> Clock:
        """See `Optimiser`."""
        del params
        return Clock(self.step_voxels * unit_mm)

    def step(self, objective: Objective, params: Params, state: Clock) -> tuple[Params, Clock, float]:
        """See `Optimiser`."""
        scale, count = state.scale, state.count
        if scale is None:
            scale, count = self._scale(objective, params, state.first_mm)
        loss, gradient = objective.drawn(count).value_and_gradient(params)
        time = max(0.0, state.time + _advance(gradient, state.gradient))
        step = gradient * (-scale / (1 + time / self.patience))
        moved = objective.model.length(step)
        if moved > state.first_mm:  # one wild draw must not lead astray
            step, moved = step * (state.first_mm / moved), state.first_mm
        after = Clock(state.first_mm, count + 1, time, scale, gradient, moved)
        return objective.model.retract(params, step), after, loss

    def _scale(self, objective: Objective, params: Params, first_mm: float) -> tuple[float, int]:
        looks = FIRST_LOOKS if objective.redraw is not None else 1
        lengths = [objective.model.length(objective.drawn(k).value_and_gradient(params)[1]) for k in range(looks)]
        mean = sum(lengths) / looks
        return (first_mm / mean if 0 < mean < math.inf else 0.0), looks

    def exhausted(self, state: Clock) -> bool:
        """See `Optimiser`."""
        return state.last_mm == 0

    def last_mm(self, state: Clock) -> float:
        """See `Optimiser`."""
        return state.last_mm


def _advance(gradient: Tensor, before: Tensor | None) -> float:
    """How far the clock goes: a sigmoid of how much two successive gradients disagree."""
    if before is None:
        return 0.0
    norms = float(gradient.norm() * before.norm())
    disagreement = -float(torch.sum(gradient * before)) / norms if norms > 0 else 0.0
    return BACK + (AHEAD - BACK) / (1 - AHEAD / BACK * math.exp(-disagreement / SLACK))

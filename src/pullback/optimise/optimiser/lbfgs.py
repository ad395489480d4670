"""L-BFGS: curvature learnt from the last few steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.optimiser import SHORT_STEPS, Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor

TRIES = 12
"""So many lengths are tried along a direction."""
USELESS = 0.2
"""Steps below this part of the shortest that counts are not tried: rounding, and not the step, would decide."""


@dataclass(frozen=True)
class Memory:
    """Past steps and changes of the gradient, with the loss and gradient at the present point.

    Attributes:
        short: steps in a row that were too short to matter; infinite where no step lowers the loss.
    """

    unit_mm: float
    loss: float | None = None
    gradient: Tensor | None = None
    steps: tuple[Tensor, ...] = ()
    changes: tuple[Tensor, ...] = ()
    last_mm: float = math.inf
    short: float = 0


@dataclass(frozen=True)
class LBFGS(Optimiser):
    """Limited-memory quasi-Newton with a backtracking line search; best for a handful of numbers.

    Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 and 3.1, and the interpolation of section 3.5.

    Attributes:
        history: how many past steps are remembered.
        longest_voxels: the farthest that one step may move a voxel, in voxels of the level.
        shortest_voxels: stop when three steps in a row move no voxel farther than this.
    """

    history: int = 8
    longest_voxels: float = 4.0
    shortest_voxels: float = 0.005

    def init(self, params: Params, unit_mm: float) -> Memory:
        """See `Optimiser`."""
        del params
        return Memory(unit_mm)

    def step(self, objective: Objective, params: Params, state: Memory) -> tuple[Params, Memory, float]:
        """See `Optimiser`."""
        if state.loss is None or state.gradient is None:
            loss, gradient = objective.value_and_gradient(params)
            state = replace(state, loss=loss, gradient=gradient)
        assert state.loss is not None
        assert state.gradient is not None
        loss, gradient = state.loss, state.gradient
        direction = self._direction(gradient, state)
        slope = float((direction * gradient).sum())
        if slope >= 0:
            direction, slope = -gradient, -float((gradient**2).sum())
            state = replace(state, steps=(), changes=())
        length = objective.model.length(direction)
        if length == 0:
            return params, replace(state, last_mm=0.0, short=math.inf), loss
        longest = self.longest_voxels * state.unit_mm
        scale = min(1.0, longest / length) if state.steps else longest / 4 / length  # no curvature known yet
        for _ in range(TRIES):
            trial = objective.model.retract(params, scale * direction)
            new_loss, new_gradient = objective.value_and_gradient(trial)
            if new_loss <= loss + 1e-4 * scale * slope:
                return trial, self._remember(state, scale * direction, new_loss, new_gradient, scale * length), loss
            scale = shorter(scale, slope, new_loss - loss)
            if scale * length < USELESS * self.shortest_voxels * state.unit_mm:
                break
        if state.steps:  # once more, down the gradient
            return params, replace(state, steps=(), changes=(), last_mm=math.inf), loss
        return params, replace(state, last_mm=0.0, short=math.inf), loss

    def exhausted(self, state: Memory) -> bool:
        """See `Optimiser`."""
        return state.short >= SHORT_STEPS

    def last_mm(self, state: Memory) -> float:
        """See `Optimiser`."""
        return state.last_mm

    def _direction(self, gradient: Tensor, state: Memory) -> Tensor:
        q, shares = gradient, []
        pairs = list(zip(state.steps, state.changes, strict=True))
        for s, y in reversed(pairs):
            share = (s * q).sum() / (s * y).sum()
            shares.append(share)
            q = q - share * y
        if pairs:
            s, y = pairs[-1]
            q = q * ((s * y).sum() / (y * y).sum())
        for (s, y), share in zip(pairs, reversed(shares), strict=True):
            q = q + s * (share - (y * q).sum() / (s * y).sum())
        return -q

    def _remember(self, state: Memory, step: Tensor, loss: float, gradient: Tensor, last_mm: float) -> Memory:
        assert state.gradient is not None
        change = gradient - state.gradient
        steps, changes = state.steps, state.changes
        if float((step * change).sum()) > 1e-12 * float(step.norm() * change.norm()):
            steps, changes = (*steps, step)[-self.history :], (*changes, change)[-self.history :]
        short = state.short + 1 if last_mm < self.shortest_voxels * state.unit_mm else 0
        return Memory(state.unit_mm, loss, gradient, steps, changes, last_mm, short)


def shorter(scale: float, slope: float, rise: float) -> float:
    """Where a parabola has its minimum that starts with this slope and has risen so much, between a tenth and half.

    Args:
        scale: the length that was too long.
        slope: of the loss at length 0, negative.
        rise: the loss there, less that at length 0.

    Example:
        >>> shorter(1.0, slope=-1.0, rise=1.0), shorter(1.0, slope=-1.0, rise=math.inf)
        (0.25, 0.1)
    """
    if not math.isfinite(rise):
        return 0.1 * scale
    bend = rise - scale * slope
    lowest = -slope * scale / (2 * bend) if bend > 0 else 0.5
    return scale * min(max(lowest, 0.1), 0.5)

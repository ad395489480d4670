"""How far to go along a direction: bisection for a step that lowers the loss by enough, and reaches far enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pullback.optimise.objective import Objective
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor

ENOUGH = 1e-4
"""Part of the fall that the slope promises which a step must bring (Armijo)."""
STEEP = 0.9
"""A slope that is still this part of the first asks for a longer step (Wolfe)."""
TRIALS = 12


@dataclass(frozen=True, eq=False)
class Trial:
    """Where a line search ended.

    Attributes:
        params: the numbers there.
        scale: how many times the direction that is.
        loss: the loss there.
        gradient: and its gradient.
    """

    params: Params
    scale: float
    loss: float
    gradient: Tensor


def searched(
    objective: Objective,
    params: Params,
    direction: Tensor,
    gradient: Tensor,
    loss: float,
    first: float,
    longest: float,
    wolfe: bool,
) -> Trial | None:
    """A step along a direction that meets Armijo's condition and, if asked for, Wolfe's (weak) one.

    Bisection as in Lewis & Overton, Mathematical Programming 141, 2013, algorithm 2.6. A preconditioned gradient has a
    smaller product with itself than with the gradient proper, so that the fall asked for is at most what is promised.

    Args:
        objective: what is minimised.
        params: where the search starts.
        direction: along which.
        gradient: at the start, as the objective gives it.
        loss: at the start.
        first: the first trial, in multiples of the direction.
        longest: the longest.
        wolfe: whether a step must reach far enough.

    Returns:
        The step, or None when no trial lowers the loss by enough.
    """
    slope = float((direction * gradient).sum())
    low, high, scale, best = 0.0, math.inf, first, None
    for _ in range(TRIALS):
        trial = objective.model.retract(params, direction, scale)
        found = Trial(trial, scale, *objective.value_and_gradient(trial))
        if not found.loss <= loss + ENOUGH * scale * slope:
            high = scale
        else:
            best, low = found, scale
            if not wolfe or scale >= longest or float((direction * found.gradient).sum()) >= STEEP * slope:
                return best
        scale = (low + high) / 2 if high < math.inf else min(2 * low, longest)
    return best

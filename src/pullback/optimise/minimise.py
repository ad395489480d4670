"""The loop: take steps until nothing is gained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import torch

from pullback.optimise.objective import Objective
from pullback.optimise.optimiser import Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor

WINDOW = 10
"""Steps over which the loss must fall for a level to go on, of optimisers that do not ask for more."""


class Status(Enum):
    """How a registration ended; the value is a sentence for people."""

    converged = "The loss stopped falling."
    max_steps = "All steps were taken and the loss was still falling a little; more steps might gain something."
    no_overlap = ("The images hardly overlap in world space. Check their headers, or give an initial transform "
                  "(--initial), or let the recipe align centres.")  # fmt: skip
    diverged = ("The images are less alike than they were at the start, or opposed in contrast. Try the multimodal "
                "recipe if their contrast differs, masks, or an initial transform.")  # fmt: skip
    no_match = ("No pose makes the images more alike than images of different things are. Check that they show one "
                "anatomy, or give masks or an initial transform (--initial).")  # fmt: skip
    ambiguous = ("Two quite different poses fit the images about equally well. Look at the notes, and give an initial "
                 "transform (--initial), or masks.")  # fmt: skip
    nonfinite = "The loss became NaN or infinite. Check the images for extreme values; use smaller steps."
    folded = ("The deformation folds: it maps several points onto one. Use stronger smoothing, smaller steps or fewer "
              "fine levels.")  # fmt: skip

    @property
    def ok(self) -> bool:
        """Whether the result may be used."""
        return self in (Status.converged, Status.max_steps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the loop ended.

    Attributes:
        params: the best numbers seen.
        loss: their loss; infinite when not even the first was a number.
        history: the loss before every step.
        status: why the loop ended.
    """

    params: Params
    loss: float
    history: tuple[float, ...]
    status: Status


def minimise(  # noqa: PLR0913 - each way to end by its name
    objective: Objective,
    params: Params,
    optimiser: Optimiser,
    *,
    steps: int,
    unit_mm: float,
    tolerance: float = 1e-4,
    shortest_mm: float = 0.0,
    least_gradient: float = 0.0,
    watch: Callable[[int, float], None] = lambda step, loss: None,
) -> Solution:
    """Take up to `steps` steps from `params`, and give the best numbers seen.

    Args:
        objective: the loss and what its numbers mean.
        params: where to start.
        optimiser: how to step.
        steps: the most steps.
        unit_mm: voxel size of the level, the unit of step lengths.
        tolerance: stop when the loss fell by less than this part of itself over the last ten steps (or as many as the
            optimiser may swing for, see `Optimiser.window`); not asked of losses that are of other random places at
            every step.
        shortest_mm: stop when no voxel was moved farther than this by any of those steps.
        least_gradient: stop when the (preconditioned) gradient is shorter than this part of the longest seen; 0 for
            never, and not asked of other random places either.
        watch: called after every step with its number and loss.
    """
    state = optimiser.init(params, unit_mm)
    best, history, moved, slope = _Best(params), [], [], _Slope(least_gradient)
    objective = replace(objective, seen=best.see, pulled=slope.see if least_gradient and not optimiser.noisy else None)
    window = max(WINDOW, optimiser.window)
    if optimiser.noisy:
        best.see(params, _value(objective, params))
    status = Status.max_steps
    for count in range(steps):
        params, state, loss = optimiser.step(objective, params, state)
        history.append(loss)
        watch(count + 1, loss)
        if not math.isfinite(loss):
            return Solution(best.params, best.loss, tuple(history), Status.nonfinite)
        moved.append(optimiser.last_mm(state))
        still = len(moved) >= window and max(moved[-window:]) < shortest_mm
        flat = not optimiser.noisy and _flat(history, tolerance, window)
        if still or flat or slope.level or optimiser.exhausted(state):
            status = Status.converged
            break
    last = _value(objective, params)
    best.see(params, last)
    return Solution(best.params, best.loss, tuple(history), status if math.isfinite(last) else Status.nonfinite)


def _value(objective: Objective, params: Params) -> float:
    with torch.no_grad():
        return float(objective.loss(params))


@dataclass
class _Best:
    """The best numbers seen; told of each loss as soon as it is known, so that worse ones need not be kept."""

    params: Params
    loss: float = math.inf

    def see(self, params: Params, loss: float) -> None:
        if loss < self.loss:
            self.params, self.loss = params, loss


@dataclass
class _Slope:
    """How long the last gradient was, beside the longest; told of each as soon as it is known."""

    least: float
    last: float = math.inf
    longest: float = 0.0

    def see(self, gradient: Tensor) -> None:
        self.last = float(torch.linalg.vector_norm(gradient))
        self.longest = max(self.longest, self.last)

    @property
    def level(self) -> bool:
        return self.last < self.least * self.longest or self.last == 0 < self.least


def _flat(history: list[float], tolerance: float, window: int) -> bool:
    """Whether the best loss of the last few steps is hardly below the best before them."""
    if len(history) <= window:
        return False
    before, now = min(history[:-window]), min(history[-window:])
    return before - now < tolerance * max(abs(before), 1e-12)

"""Gradient descent: steps of a set length, with momentum, or as long as a line search finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from pullback.errors import RecipeError
from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.line_search import searched
from pullback.optimise.optimiser.optimiser import Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor


@dataclass(frozen=True)
class Pace:
    """How long the steps of a gradient descent are at the moment, in mm, and the loss that they must beat.

    Attributes:
        step_mm: length of the last step.
        first_mm: the longest.
        loss: at the last point, or, with a line search, at this one.
        momentum: the last step, where some of it is kept.
        gradient: at this point, where a line search has found it.
    """

    step_mm: float
    first_mm: float
    loss: float = math.inf
    momentum: Tensor | None = None
    gradient: Tensor | None = None


@dataclass(frozen=True)
class GradientDescent(Optimiser):
    """Steps down the gradient of a set length; the length is halved whenever the loss rose.

    Attributes:
        step_voxels: the farthest that a step moves a voxel, in voxels of the level.
        momentum: share of the previous step that is kept, 0 for none.
        smallest: stop when steps are shorter than this part of the first.
        nesterov: whether momentum looks one step ahead (Nesterov, Soviet Mathematics Doklady 27(2), 1983).
        line_search: none, armijo (a step must lower the loss by enough) or wolfe (and reach far enough); step_voxels is
            then the longest step. Not together with momentum.

    Raises:
        RecipeError: a line search with momentum.
    """

    step_voxels: float = 0.5
    momentum: float = 0.0
    smallest: float = 0.01
    nesterov: bool = False
    line_search: Literal["none", "armijo", "wolfe"] = "none"

    def __post_init__(self) -> None:
        if self.line_search != "none" and self.momentum > 0:
            raise RecipeError(f"a gradient descent has a line search or momentum; got {self.line_search} and "
                              f"{self.momentum}, set one of them to none or 0")  # fmt: skip

    @property
    def window(self) -> int:
        """See `Optimiser`."""
        return self._swing(self.momentum)

    def init(self, params: Params, unit_mm: float) -> Pace:
        """See `Optimiser`."""
        del params
        return Pace(self.step_voxels * unit_mm, self.step_voxels * unit_mm)

    def step(self, objective: Objective, params: Params, state: Pace) -> tuple[Params, Pace, float]:
        """See `Optimiser`."""
        if self.line_search != "none":
            return self._searched(objective, params, state)
        loss, gradient, length = objective.value_gradient_length(params)
        step_mm = state.step_mm / 2 if loss > state.loss else min(state.step_mm * 1.05, state.first_mm)
        scale = -step_mm / length if length > 0 else 0.0
        if self.momentum == 0:
            params = objective.model.stepped(params, gradient, scale)
            del gradient  # a volume of vectors that need not wait for the rest
            return objective.model.settled(params), replace(state, step_mm=step_mm, loss=loss), loss
        step = kept = scale * gradient
        if state.momentum is not None and loss <= state.loss:
            kept = step * (1 - self.momentum) + state.momentum * self.momentum
            step = step * (1 - self.momentum) + kept * self.momentum if self.nesterov else kept
        return objective.model.retract(params, step), replace(state, step_mm=step_mm, loss=loss, momentum=kept), loss

    def _searched(self, objective: Objective, params: Params, state: Pace) -> tuple[Params, Pace, float]:
        loss, gradient = state.loss, state.gradient
        if gradient is None:
            loss, gradient = objective.value_and_gradient(params)
        length = objective.model.length(gradient)
        if not 0 < length < math.inf:
            return params, replace(state, step_mm=0.0, loss=loss, gradient=gradient), loss
        longest, wolfe = state.first_mm / length, self.line_search == "wolfe"
        first = min(2 * state.step_mm, state.first_mm) / length
        found = searched(objective, params, -gradient, gradient, loss, first, longest, wolfe)
        if found is None:
            return params, replace(state, step_mm=0.0, loss=loss, gradient=gradient), loss
        pace = replace(state, step_mm=found.scale * length, loss=found.loss, gradient=found.gradient)
        return found.params, pace, loss

    def exhausted(self, state: Pace) -> bool:
        """See `Optimiser`."""
        return state.step_mm < self.smallest * state.first_mm

    def last_mm(self, state: Pace) -> float:
        """See `Optimiser`."""
        return state.step_mm

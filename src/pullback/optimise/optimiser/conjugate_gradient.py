"""Conjugate gradients: each step keeps what the last ones have gained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.line_search import searched
from pullback.optimise.optimiser.optimiser import Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor


@dataclass(frozen=True, eq=False)
class Way:
    """Along which direction the last step went, and what is known at the present point.

    Attributes:
        first_mm: the longest step.
        step_mm: the length of the last one.
        loss: at this point.
        gradient: at this point.
        direction: of the last step; None where the next one goes down the gradient.
        before: the gradient at the last point.
    """

    first_mm: float
    step_mm: float
    loss: float = math.inf
    gradient: Tensor | None = None
    direction: Tensor | None = None
    before: Tensor | None = None


@dataclass(frozen=True)
class ConjugateGradient(Optimiser):
    """Nonlinear conjugate gradients with a line search: three vectors of memory, where L-BFGS keeps seventeen.

    Polak & Ribiere, Revue Francaise d'Informatique et de Recherche Operationnelle 3(R1), 1969, with the share of the
    last direction cut off at 0, which starts anew where it helps (Gilbert & Nocedal, SIAM Journal on Optimization 2(1),
    1992); likewise where the direction does not lead down, or no step along it lowers the loss.

    Attributes:
        step_voxels: the farthest that one step may move a voxel, in voxels of the level.
        smallest: stop when steps are shorter than this part of that.
    """

    step_voxels: float = 4.0
    smallest: float = 0.001

    def init(self, params: Params, unit_mm: float) -> Way:
        """See `Optimiser`."""
        del params
        longest = self.step_voxels * unit_mm
        return Way(longest, longest / 16)

    def step(self, objective: Objective, params: Params, state: Way) -> tuple[Params, Way, float]:
        """See `Optimiser`."""
        loss, gradient = state.loss, state.gradient
        if gradient is None:
            loss, gradient = objective.value_and_gradient(params)
        direction = _direction(gradient, state)
        length = objective.model.length(direction)
        if not 0 < length < math.inf:
            return params, replace(state, step_mm=0.0, loss=loss, gradient=gradient), loss
        first = min(2 * state.step_mm, state.first_mm) / length
        found = searched(objective, params, direction, gradient, loss, first, state.first_mm / length, wolfe=True)
        if found is None:
            lost = state.direction is None
            step_mm = 0.0 if lost else state.step_mm  # else once more, down the gradient
            return params, Way(state.first_mm, step_mm, loss, gradient), loss
        way = Way(state.first_mm, found.scale * length, found.loss, found.gradient, direction, gradient)
        return found.params, way, loss

    def exhausted(self, state: Way) -> bool:
        """See `Optimiser`."""
        return state.step_mm < self.smallest * state.first_mm

    def last_mm(self, state: Way) -> float:
        """See `Optimiser`."""
        return state.step_mm


def _direction(gradient: Tensor, state: Way) -> Tensor:
    """Down the gradient, and as much of the last direction as keeps the two conjugate."""
    if state.direction is None or state.before is None:
        return -gradient
    share = float((gradient * (gradient - state.before)).sum()) / float((state.before**2).sum())
    direction = max(share, 0.0) * state.direction - gradient
    return direction if float((direction * gradient).sum()) < 0 else -gradient

"""Levenberg-Marquardt: the curvature of least squares, damped where it misleads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from pullback.errors import RecipeError
from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.optimiser import SHORT_STEPS, Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Float, Tensor

TRIALS = 8
MILDER, STRICTER = 1 / 5, 4.0
"""What the damping is multiplied by after a step that was taken, and after one that was not."""


@dataclass(frozen=True)
class Damped:
    """The damping, and what is known at the present point.

    Attributes:
        unit_mm: voxel size of the level.
        damping: added to the curvature, as a part of its largest.
        known: loss, gradient and curvature here.
        last_mm: length of the last step.
        short: steps in a row that were too short to matter; infinite where no step lowers the loss.
    """

    unit_mm: float
    damping: float
    known: tuple[float, Tensor, Tensor] | None = None
    last_mm: float = math.inf
    short: float = 0


@dataclass(frozen=True)
class LevenbergMarquardt(Optimiser):
    """Gauss-Newton steps, with damping that grows until the loss falls: a handful of steps for a handful of numbers.

    For `Linear` models with `MSE` or `NCC`, whose loss is a sum of squares. Marquardt, SIAM Journal on Applied
    Mathematics 11(2), 1963; for images Thevenaz et al., IEEE Transactions on Image Processing 7(1), 1998. Damping is
    added along every direction alike, since all numbers are in mm.

    Attributes:
        damping: the first, as a part of the largest curvature.
        longest_voxels: the farthest that one step may move a voxel, in voxels of the level.
        shortest_voxels: stop when three steps in a row move no voxel farther than this.
    """

    damping: float = 0.001
    longest_voxels: float = 4.0
    shortest_voxels: float = 0.002

    def init(self, params: Params, unit_mm: float) -> Damped:
        """See `Optimiser`."""
        del params
        return Damped(unit_mm, self.damping)

    def step(self, objective: Objective, params: Params, state: Damped) -> tuple[Params, Damped, float]:
        """See `Optimiser`.

        Raises:
            RecipeError: the objective is no sum of squares of a few numbers.
        """
        if objective.curved is None:
            raise RecipeError("LevenbergMarquardt suits a Linear model with MSE or NCC alone; got another measure, or "
                              f"a regulariser, for the {objective.model.name} model: choose LBFGS")  # fmt: skip
        known = state.known or objective.value_gradient_curvature(params)
        loss, gradient, curvature = known
        damping, longest = state.damping, self.longest_voxels * state.unit_mm
        for _ in range(TRIALS if math.isfinite(loss) else 0):
            step = _newton(gradient, curvature, damping)
            length = objective.model.length(step)
            if length == 0:
                break
            scale = min(1.0, longest / length)
            trial = objective.model.retract(params, step, scale)
            found = objective.value_gradient_curvature(trial)
            if found[0] < loss:
                short = state.short + 1 if scale * length < self.shortest_voxels * state.unit_mm else 0
                return trial, Damped(state.unit_mm, damping * MILDER, found, scale * length, short), loss
            damping = max(damping * STRICTER, 1e-4)
        return params, replace(state, known=known, last_mm=0.0, short=math.inf), loss

    def exhausted(self, state: Damped) -> bool:
        """See `Optimiser`."""
        return state.short >= SHORT_STEPS

    def last_mm(self, state: Damped) -> float:
        """See `Optimiser`."""
        return state.last_mm


def _newton(gradient: Float[Tensor, " n"], curvature: Float[Tensor, "n n"], damping: float) -> Float[Tensor, " n"]:
    """-(|curvature| + damping x its largest)^-1 gradient; nothing where there is no curvature at all."""
    if not bool(torch.isfinite(curvature).all()):
        return torch.zeros_like(gradient)
    values, vectors = torch.linalg.eigh(curvature)
    sizes = values.abs()
    largest = float(sizes.max())
    if largest == 0:
        return torch.zeros_like(gradient)
    step: Tensor = -vectors @ ((vectors.T @ gradient) / (sizes + max(damping, 1e-12) * largest))
    return step

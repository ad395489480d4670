"""Adam: steps of one size for every number."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.optimise.objective import Objective
from pullback.optimise.optimiser.optimiser import Optimiser
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor


@dataclass(frozen=True)
class Moments:
    """Running means of the gradient and of its square."""

    first: Tensor
    second: Tensor
    count: int
    rate: float
    last_mm: float = float("inf")


@dataclass(frozen=True)
class Adam(Optimiser):
    """Kingma & Ba, ICLR 2015. Every number moves by about the rate, whatever the size of its gradient.

    Attributes:
        step_voxels: the rate, in voxels of the level.
        beta1: memory of the gradient.
        beta2: memory of its square.
    """

    step_voxels: float = 0.3
    beta1: float = 0.9
    beta2: float = 0.99

    @property
    def window(self) -> int:
        """See `Optimiser`."""
        return self._swing(self.beta1)

    def init(self, params: Params, unit_mm: float) -> Moments:
        """See `Optimiser`."""
        zero = torch.zeros_like(params.values)
        return Moments(zero, zero, 0, self.step_voxels * unit_mm)

    def step(self, objective: Objective, params: Params, state: Moments) -> tuple[Params, Moments, float]:
        """See `Optimiser`."""
        loss, gradient = objective.value_and_gradient(params)
        n = state.count + 1
        first = self.beta1 * state.first + (1 - self.beta1) * gradient
        second = self.beta2 * state.second + (1 - self.beta2) * gradient**2
        scale = (second / (1 - self.beta2**n)).sqrt() + 1e-12
        step = -state.rate * (first / (1 - self.beta1**n)) / scale
        return (
            objective.model.retract(params, step),
            Moments(first, second, n, state.rate, float(step.abs().max())),
            loss,
        )

    def exhausted(self, state: Moments) -> bool:
        """See `Optimiser`."""
        return state.last_mm == 0

    def last_mm(self, state: Moments) -> float:
        """See `Optimiser`."""
        return state.last_mm

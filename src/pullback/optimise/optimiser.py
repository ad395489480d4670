"""Optimisers: configuration only; what they remember goes in and comes out as state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch

from pullback.optimise.objective import Objective
from pullback.optimise.parametrisation import Params
from pullback.typing import Tensor


class Optimiser(ABC):
    """A rule that turns values and gradients into steps."""

    @abstractmethod
    def init(self, params: Params, unit_mm: float) -> Any:
        """The state before the first step at a level whose voxels are `unit_mm` wide."""

    @abstractmethod
    def step(self, objective: Objective, params: Params, state: Any) -> tuple[Params, Any, float]:
        """One step: the new numbers, the new state, and the loss *before* the step."""

    def exhausted(self, state: Any) -> bool:
        """Whether further steps would be too short to matter."""
        del state
        return False


@dataclass(frozen=True)
class Pace:
    """How long the steps of a gradient descent are at the moment, in mm, and the loss that they must beat."""

    step_mm: float
    first_mm: float
    loss: float = float("inf")
    momentum: Tensor | None = None


@dataclass(frozen=True)
class GradientDescent(Optimiser):
    """Steps down the gradient of a set length; the length is halved whenever the loss rose.

    Attributes:
        step_voxels: the farthest that a step moves a voxel, in voxels of the level.
        momentum: share of the previous step that is kept, 0 for none.
        smallest: stop when steps are shorter than this part of the first.
    """

    step_voxels: float = 0.5
    momentum: float = 0.0
    smallest: float = 0.01

    def init(self, params: Params, unit_mm: float) -> Pace:
        """See `Optimiser`."""
        del params
        return Pace(self.step_voxels * unit_mm, self.step_voxels * unit_mm)

    def step(self, objective: Objective, params: Params, state: Pace) -> tuple[Params, Pace, float]:
        """See `Optimiser`."""
        loss, gradient = objective.value_and_gradient(params)
        step_mm = state.step_mm / 2 if loss > state.loss else min(state.step_mm * 1.05, state.first_mm)
        length = objective.model.length(gradient)
        scale = -step_mm / length if length > 0 else 0.0
        if self.momentum == 0:
            return objective.model.retract(params, gradient, scale), replace(state, step_mm=step_mm, loss=loss), loss
        step = scale * gradient
        if state.momentum is not None and loss <= state.loss:
            step = step * (1 - self.momentum) + state.momentum * self.momentum
        return objective.model.retract(params, step), replace(state, step_mm=step_mm, loss=loss, momentum=step), loss

    def exhausted(self, state: Pace) -> bool:
        """See `Optimiser`."""
        return state.step_mm < self.smallest * state.first_mm


@dataclass(frozen=True)
class Moments:
    """Running means of the gradient and of its square."""

    first: Tensor
    second: Tensor
    count: int
    rate: float


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
        return objective.model.retract(params, step), Moments(first, second, n, state.rate), loss


@dataclass(frozen=True)
class Memory:
    """Past steps and changes of the gradient, with the loss and gradient at the present point."""

    unit_mm: float
    loss: float | None = None
    gradient: Tensor | None = None
    steps: tuple[Tensor, ...] = ()
    changes: tuple[Tensor, ...] = ()
    last_mm: float = float("inf")


@dataclass(frozen=True)
class LBFGS(Optimiser):
    """Limited-memory quasi-Newton with a backtracking line search; best for a handful of numbers.

    Nocedal & Wright, Numerical Optimization, 2006, algorithms 7.4 and 3.1.

    Attributes:
        history: how many past steps are remembered.
        longest_voxels: the farthest that one step may move a voxel, in voxels of the level.
        shortest_voxels: stop when a step moves no voxel farther than this.
    """

    history: int = 8
    longest_voxels: float = 4.0
    shortest_voxels: float = 0.002

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
            return params, replace(state, last_mm=0.0), loss
        longest = self.longest_voxels * state.unit_mm
        scale = min(1.0, longest / length) if state.steps else longest / 4 / length  # no curvature known yet
        for _ in range(12):
            trial = objective.model.retract(params, scale * direction)
            new_loss, new_gradient = objective.value_and_gradient(trial)
            if new_loss <= loss + 1e-4 * scale * slope:
                return trial, self._remember(state, scale * direction, new_loss, new_gradient, scale * length), loss
            scale /= 3
        return params, replace(state, steps=(), changes=(), last_mm=math.inf if state.steps else 0.0), loss

    def exhausted(self, state: Memory) -> bool:
        """See `Optimiser`."""
        return state.last_mm < self.shortest_voxels * state.unit_mm

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

    def _remember(self, state: Memory, step: Tensor, loss: float, gradient: Tensor, moved_mm: float) -> Memory:
        assert state.gradient is not None
        change = gradient - state.gradient
        steps, changes = state.steps, state.changes
        if float((step * change).sum()) > 1e-12 * float(step.norm() * change.norm()):
            steps, changes = (*steps, step)[-self.history :], (*changes, change)[-self.history :]
        return Memory(state.unit_mm, loss, gradient, steps, changes, moved_mm)

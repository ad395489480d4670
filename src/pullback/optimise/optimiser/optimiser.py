"""Optimiser: a rule that turns values and gradients into steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pullback.optimise.objective import Objective
from pullback.optimise.parametrisation import Params


class Optimiser(ABC):
    """Configuration only: what it remembers goes in and comes out as state.

    Attributes:
        noisy: whether its losses are of fresh random places at every step, and so say nothing from one to the next.
    """

    noisy: ClassVar[bool] = False

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

    def last_mm(self, state: Any) -> float:
        """About how far the last step moved the voxel that it moved farthest; infinite where that is not known."""
        del state
        return math.inf

"""Optimiser: a rule that turns values and gradients into steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pullback.optimise.objective import Objective
from pullback.optimise.parametrisation import Params

SHORT_STEPS = 3
"""Steps in a row that must be short for a search to end: a single one may only have met a bump."""

MEMORIES = 3
"""A swing has died down after so many times the memory of a running mean."""


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

    @property
    def window(self) -> int:
        """For how many steps the loss may rise before it falls again; more than 1 for steps with momentum."""
        return 1

    @staticmethod
    def _swing(kept: float) -> int:
        """The window of a running mean that keeps this share of itself from step to step."""
        return round(MEMORIES / max(1 - kept, 1e-3))

    def exhausted(self, state: Any) -> bool:
        """Whether further steps would be too short to matter."""
        del state
        return False

    def last_mm(self, state: Any) -> float:
        """About how far the last step moved the voxel that it moved farthest; infinite where that is not known."""
        del state
        return math.inf

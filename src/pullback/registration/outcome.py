"""What a stage says when it is done, and while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from pullback.optimise import Status
from pullback.transforms import Transform


@dataclass(frozen=True)
class LevelHistory:
    """The losses of one level.

    Attributes:
        spacing_mm: voxel size of the fixed image at this level, in data order.
        losses: the loss before every step.
    """

    spacing_mm: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of one stage.

    Attributes:
        stage: what ran, in words.
        transform: fixed world -> moving world, everything before this stage included.
        status: how it ended.
        history: the losses, level by level.
        seconds: wall time.
        kernels: for each op the kernel that ran.
        notes: remarks for people, for example which of several starts was taken.
    """

    stage: str
    transform: Transform
    status: Status
    history: tuple[LevelHistory, ...] = ()
    seconds: float = 0.0
    kernels: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """A sign of life: where a running registration is.

    Attributes:
        stage: what runs, in words.
        level: which level, from 1.
        levels: how many levels the stage has.
        step: which step of the level, from 1.
        steps: the most steps of the level.
        loss: the loss before this step.
        share: part of the whole registration's work that is done, from 0 to 1, were every step to be taken.
    """

    stage: str
    level: int
    levels: int
    step: int
    steps: int
    loss: float
    share: float = 0.0


Watch: TypeAlias = Callable[[Step], None]
"""Called after every step of a registration."""


def ignore(step: Step) -> None:
    """Watch nothing."""
    del step

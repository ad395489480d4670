"""Parametrisation: which numbers are optimised, and which transform they stand for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from pullback.optimise.parametrisation.border import Border
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Batch, Tensor


@dataclass(frozen=True, eq=False)
class Params:
    """The numbers of a parametrisation at one level, and what they are relative to.

    Attributes:
        values: what is optimised; scaled so that a change of 1 moves voxels by about 1 mm.
        space: the fixed image's grid at this level, or a coarser one that carries the values of a dense field.
        initial: the transform that stays as it is; the update comes on the fixed side of it: `initial @ update`.
        unit_mm: voxel size of the level, where `space` is coarser.
        border: along which a part slides, for models that let it.
    """

    values: Tensor
    space: Space
    initial: Transform
    unit_mm: float | None = None
    border: Border | None = None


class Parametrisation(ABC):
    """Configuration only: numbers go in and come out as `Params`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The kind of transform, in a word."""

    @property
    def local(self) -> bool:
        """Whether each number moves only its own neighbourhood, by little: no step turns the image out of view."""
        return False

    @property
    def dense(self) -> bool:
        """Whether each voxel of the fixed grid has numbers of its own, so that a few random places would not do."""
        return False

    @property
    def composed(self) -> bool:
        """Whether it wants the gradient in a displacement (mm, on the fixed grid) applied before the transform."""
        return False

    @property
    def masks(self) -> tuple[str, ...]:
        """The masks on the fixed image that it asks for, by name."""
        return ()

    @abstractmethod
    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """The numbers that stand for the initial transform, on a level's grid."""

    def placed(self, params: Params, masks: Mapping[str, Batch]) -> Params:
        """The numbers where a level begins, told of masks on its grid by name, (1, 1, *shape); unchanged here."""
        del masks
        return params

    @abstractmethod
    def build(self, params: Params) -> Transform:
        """The transform that the numbers stand for; pure, and differentiable in `params.values`."""

    @abstractmethod
    def refine(self, params: Params, space: Space) -> Params:
        """The same transform on the grid of a finer level."""

    @abstractmethod
    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """The numbers after `scale` times a step (of the shape of the values)."""

    def stepped(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """The first half of `retract`, all that needs the step: a caller that drops the step then saves its memory."""
        return self.retract(params, step, scale)

    def settled(self, params: Params) -> Params:
        """The second half of `retract`, for numbers that were `stepped`; nothing by default."""
        return params

    @abstractmethod
    def length(self, step: Tensor) -> float:
        """How far a step moves voxels, in mm: the largest motion, or an estimate of it."""

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """A better-shaped gradient, for example a smoothed one (a Sobolev gradient); the gradient itself by default."""
        del params
        return gradient

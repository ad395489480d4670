"""Regulariser: how unlikely a deformation is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pullback.space import Space
from pullback.typing import Field, Float, Tensor


class Regulariser(ABC):
    """A penalty on a vector field: 0 for none, larger for less likely ones.

    Slopes are taken per mm and averaged over the image, so that a weight means the same on every grid. Axes of one
    voxel have no slope.

    Attributes:
        of_displacement: whether it must see the displacement of every voxel. Else the numbers of the model will do: the
            coefficients of a B-spline, the velocity of a flow.
    """

    of_displacement: ClassVar[bool] = False

    @abstractmethod
    def loss(self, field: Field, space: Space, weight: Float[Tensor, "*spatial"] | None = None) -> Float[Tensor, ""]:
        """The penalty of a field, differentiable in the field.

        Args:
            field: (D, *space.shape) mm along the world axes.
            space: the grid that carries it.
            weight: (*space.shape), how much each place counts, for a penalty on a region; all alike by default.
        """

"""Transform: a map from fixed-world points to moving-world points, in mm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pullback.errors import InputError
from pullback.image import to_tensor
from pullback.space import Space
from pullback.typing import Field, PointsTensor, Shaped, Tensor


class Transform(ABC):
    """A map from fixed-world points to moving-world points (RAS+ mm). Images go the other way, by pull-back.

    To carry landmarks from the moving image to the fixed one, use `transform.inverse()`.
    """

    @property
    @abstractmethod
    def dimension(self) -> int:
        """2 or 3."""

    @abstractmethod
    def move(self, points: PointsTensor) -> PointsTensor:
        """The images of world points (..., D), in mm."""

    @abstractmethod
    def inverse(self) -> Transform:
        """The map from moving-world points back to fixed-world points."""

    @abstractmethod
    def displace(self, space: Space, first: Field | None = None) -> Field:
        """T(x + first(x)) - x at every voxel centre x of a grid.

        Args:
            space: the grid.
            first: (D, *shape) mm, a displacement on that grid that comes before this transform; none by default.

        Returns:
            (D, *shape) mm along the world axes: in float32, unless `first` or a field of this transform is more
            precise, and on the device of those.
        """

    def __call__(self, points: Shaped[Tensor, "*n d"] | np.ndarray | Sequence[Any]) -> PointsTensor:
        """The images of world points in mm.

        Args:
            points: (..., D), a tensor, an array or lists of numbers.

        Returns:
            A tensor of the same shape, of the points' own precision; double where they were whole numbers or no tensor.

        Raises:
            InputError: the last axis does not have one coordinate for each dimension.
        """
        where = points if isinstance(points, Tensor) else to_tensor(np.asarray(points))
        where = where if where.is_floating_point() else where.to(torch.float64)
        if where.ndim == 0 or where.shape[-1] != self.dimension:
            raise InputError(f"a {self.dimension}D transform moves points of {self.dimension} coordinates (mm, on the "
                             f"last axis); got the shape {tuple(where.shape)}")  # fmt: skip
        return self.move(where)

    def __matmul__(self, first: Transform) -> Transform:
        """`a @ b` is a after b: (a @ b)(x) == a(b(x))."""
        from pullback.transforms.composite import chain  # noqa: PLC0415 - a Composite is itself a Transform

        if not isinstance(first, Transform):
            return NotImplemented
        return chain(self, first)

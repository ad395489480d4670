"""Transform: a map from fixed-world points to moving-world points, in mm."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.typing import Field, PointsTensor, Tensor


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
            (D, *shape) float32 (or the precision of `first`), mm along the world axes.
        """

    def __call__(self, points: PointsTensor) -> PointsTensor:
        """The images of world points in mm.

        Args:
            points: (..., D), a tensor, or anything that becomes one.

        Returns:
            A tensor of the same shape.

        Raises:
            InputError: the last axis does not have one coordinate for each dimension.
        """
        points = points if isinstance(points, Tensor) else torch.as_tensor(points)
        if not points.is_floating_point():
            points = points.to(torch.float64)
        if points.ndim == 0 or points.shape[-1] != self.dimension:
            raise InputError(f"a {self.dimension}D transform moves points of {self.dimension} coordinates (x, y, ... in "
                             f"mm, last axis); got the shape {tuple(points.shape)}")  # fmt: skip
        return self.move(points)

    def __matmul__(self, first: Transform) -> Transform:
        """`a @ b` is a after b: (a @ b)(x) == a(b(x))."""
        from pullback.transforms.composite import chain  # noqa: PLC0415 - a Composite is itself a Transform

        if not isinstance(first, Transform):
            return NotImplemented
        return chain(self, first)

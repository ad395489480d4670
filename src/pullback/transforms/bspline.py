"""BSpline: a free-form deformation, a vector in mm at every point of a coarse grid of control points."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import SpaceError
from pullback.space import Space
from pullback.transforms.transform import Transform
from pullback.typing import Field, Float, Matrix, PointsTensor, Tensor

ALIGNED_STEPS = 1e-6
"""Two grids share their axes when no voxel of the one strays by more than this many steps of the other."""


@dataclass(frozen=True, eq=False)
class BSpline(Transform):
    """x -> x + u(x), with u a cubic B-spline of vectors at control points: smooth, with two continuous derivatives.

    Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999; see `ops.ffd`. It is that of ITK's B-spline
    transform where all control points of a spline exist; beyond, the edge is repeated, where ITK's ends.

    Attributes:
        coefficients: (D, *space.shape) mm along the world axes; the spline does not pass through them.
        space: the grid of control points, an "image" of few and large voxels.

    Raises:
        SpaceError: the coefficients do not have the shape of the space.

    Example:
        >>> space = Space.of_array((6, 6), 10.0)
        >>> even = BSpline(torch.ones(2, 6, 6), space)
        >>> even(space.centre) - space.centre
        tensor([1., 1.], dtype=torch.float64)
    """

    coefficients: Field
    space: Space

    def __post_init__(self) -> None:
        if tuple(self.coefficients.shape) != (self.space.dimension, *self.space.shape):
            raise SpaceError(f"B-spline coefficients of shape {tuple(self.coefficients.shape)} do not fit "
                             f"{self.space!r}; they must be (dimension, *space.shape)")  # fmt: skip

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    def motion(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """U at world points, in mm and in the points' precision."""
        return ops.ffd_points(self.coefficients.to(points), self.space.to_voxels(points))

    def slope(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """du_i / dx_j at world points."""
        steps = ops.ffd_slopes(self.coefficients.to(points), self.space.to_voxels(points))
        return steps @ self._mix.to(steps)

    def jacobian(self, space: Space) -> Float[Tensor, "*spatial"]:
        """The Jacobian determinant at every voxel of a grid; where it is not positive, the map folds."""
        points = space.grid().reshape(-1, self.dimension).to(self.coefficients)
        whole = self.slope(points) + torch.eye(self.dimension).to(points)
        determinant: Tensor = torch.linalg.det(whole)
        return determinant.reshape(space.shape)

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return points + self.motion(points.reshape(-1, self.dimension)).reshape(points.shape)

    def inverse(self) -> Transform:
        """The inverse, solved for at each point when it is asked for; see `Inverse`."""
        from pullback.transforms.inverse import Inverse  # noqa: PLC0415 - an Inverse undoes a BSpline

        return Inverse(self)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`; axis by axis on grids along the axes of the control grid, voxel by voxel on others."""
        if first is not None:
            first = first.to(self.coefficients.device, torch.promote_types(first.dtype, self.coefficients.dtype))
            coefficients = self.coefficients.to(first)[None]
            return first + ops.ffd_sample(coefficients, self._steps(space)[:-1], first[None], self._mix)[0]
        matrix = self._steps(space)
        steps = matrix[:-1, :-1]
        stray = (steps - torch.diag(torch.diag(steps))).abs() @ torch.tensor(space.shape, dtype=torch.float64)
        if float(stray.max()) > ALIGNED_STEPS:
            return ops.ffd_sample(self.coefficients[None], matrix[:-1], shape=space.shape)[0]
        scale, offset = torch.diag(steps).tolist(), matrix[:-1, -1].tolist()
        return ops.ffd(self.coefficients[None], space.shape, scale, offset)[0]

    @property
    def _mix(self) -> Matrix:
        """(D, D), mm along the world axes -> steps of the control grid."""
        return self.space.inverse[:-1, :-1]

    def _steps(self, space: Space) -> Matrix:
        """(D+1, D+1), voxels of a grid -> steps of the control grid."""
        return self.space.inverse @ space.matrix

    def __repr__(self) -> str:
        largest = float(self.coefficients.detach().norm(dim=0).max())
        return f"BSpline(coefficients up to {largest:.4g} mm on {self.space!r})"

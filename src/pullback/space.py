"""Space: where the voxels of an image lie in the patient.

A Space is a grid shape and one matrix from voxel index to world millimetres (RAS+: x to the patient's right, y to the
front, z to the head). The order of the index is the order of the data and of the matrix columns, everywhere; nothing
reverses an axis. The centre of the first voxel has index 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from pullback.errors import SpaceError
from pullback.typing import Float, Matrix, PerAxis, PointsTensor, Shape, Tensor


@dataclass(frozen=True, eq=False)
class Space:
    """A grid of voxels placed in world millimetres.

    Attributes:
        shape: number of voxels along each axis, in data order, for example (slices, rows, columns).
        matrix: (D+1, D+1) float64 on the CPU, voxel index -> world RAS+ mm; columns in data order.

    Raises:
        SpaceError: the shape is empty, or the matrix has the wrong size, is not finite, homogeneous and invertible.

    Example:
        >>> space = Space((10, 256, 256), torch.diag(torch.tensor([8.0, 1.5, 1.5, 1.0])))
        >>> space.spacing
        (8.0, 1.5, 1.5)
    """

    shape: Shape
    matrix: Matrix

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        matrix = torch.as_tensor(self.matrix).detach().to("cpu", torch.float64)
        size = len(shape) + 1
        if len(shape) not in (2, 3) or min(shape) < 1:
            raise SpaceError(f"a space needs 2 or 3 axes of at least one voxel; got the shape {shape}")
        if matrix.shape != (size, size):
            raise SpaceError(f"a {len(shape)}D space needs a {size}x{size} matrix; got {tuple(matrix.shape)}")
        if not bool(torch.isfinite(matrix).all()):
            raise SpaceError("the voxel-to-world matrix holds values that are not finite; repair the image header")
        if not torch.allclose(matrix[-1], torch.eye(size, dtype=torch.float64)[-1], rtol=0, atol=1e-9):
            raise SpaceError(f"the last row of a voxel-to-world matrix must be 0 ... 0 1; got {matrix[-1].tolist()}")
        volume = float(torch.linalg.det(matrix[:-1, :-1]).abs())
        lengths = matrix[:-1, :-1].norm(dim=0)
        if float(lengths.min()) <= 0 or volume < 1e-6 * float(lengths.prod()):
            raise SpaceError(
                f"the voxel-to-world matrix is singular (voxel sizes {lengths.tolist()}); repair the header"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def of_array(cls, shape: Sequence[int], spacing: float | PerAxis = 1.0) -> Space:
        """The place of an array without geometry: where ITK puts it.

        The last axis points to the patient's left, the one before it to the back, a third one to the head; the first
        voxel is at the origin.

        Args:
            shape: the array's spatial shape, in data order.
            spacing: mm between voxel centres, one number or one for each axis in data order.

        Raises:
            SpaceError: a spacing is not a positive number, or there is not one for each axis.
        """
        d = len(shape)
        steps = torch.as_tensor(spacing, dtype=torch.float64).flatten().tolist()
        steps = steps * d if len(steps) == 1 else steps
        if len(steps) != d:
            raise SpaceError(f"the spacing has {len(steps)} numbers for {d} axes; give one for each axis")
        if not all(0 < step < math.inf for step in steps):
            raise SpaceError(f"the spacing must be positive and finite; got {steps}; give millimetres between voxels")
        matrix = torch.zeros(d + 1, d + 1, dtype=torch.float64)
        matrix[d, d] = 1.0
        for axis, step in enumerate(steps):
            world = d - 1 - axis
            matrix[world, axis] = -step if world < 2 else step
        return cls(tuple(shape), matrix)

    @property
    def dimension(self) -> int:
        """Number of axes: 2 or 3."""
        return len(self.shape)

    @cached_property
    def spacing(self) -> tuple[float, ...]:
        """Distance in mm between neighbouring voxel centres along each axis, in data order."""
        return tuple(self.matrix[:-1, :-1].norm(dim=0).tolist())

    @property
    def finest(self) -> float:
        """The smallest spacing in mm among the axes that have more than one voxel."""
        return min((s for s, n in zip(self.spacing, self.shape, strict=True) if n > 1), default=min(self.spacing))

    @property
    def has_orientation(self) -> bool:
        """Whether the grid seems to know how the patient lies.

        Grids along the world's axes with their first voxel or their middle exactly at the world's origin are what
        readers make up for files without geometry, and those one voxel from it what programs write that count from one:
        to write R and L beside those would be a guess.
        """
        d = self.dimension
        linear, first = self.linear.abs(), self.matrix[:d, d]
        along_axes = bool(((linear > 1e-6 * linear.max()).sum(dim=0) == 1).all())
        made_up = first, first - self.linear.sum(dim=1), self.centre
        at_origin = min(float(place.abs().max()) for place in made_up) < 1e-3
        return not (along_axes and at_origin)

    @property
    def linear(self) -> Matrix:
        """The (D, D) part of the matrix: one voxel step along each axis, in mm."""
        return self.matrix[:-1, :-1]

    @cached_property
    def inverse(self) -> Matrix:
        """World mm -> voxel index, (D+1, D+1)."""
        inverse: Tensor = torch.linalg.inv(self.matrix)
        return inverse

    @cached_property
    def centre(self) -> Tensor:
        """The middle of the field of view, world mm, (D,)."""
        return self.to_world(torch.tensor([(n - 1) / 2 for n in self.shape], dtype=torch.float64))

    @property
    def extent(self) -> tuple[float, ...]:
        """Length of the field of view in mm along each axis, whole voxels counted."""
        return tuple(n * s for n, s in zip(self.shape, self.spacing, strict=True))

    @property
    def count(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    def to_world(self, voxels: PointsTensor) -> PointsTensor:
        """World mm of (continuous) voxel indices, coordinates last."""
        return apply_matrix(self.matrix, voxels)

    def to_voxels(self, points: PointsTensor) -> PointsTensor:
        """Continuous voxel indices of world points in mm, coordinates last."""
        return apply_matrix(self.inverse, points)

    def grid(self) -> PointsTensor:
        """World mm of every voxel centre, (*shape, D) float64 on the CPU."""
        axes = [torch.arange(n, dtype=torch.float64) for n in self.shape]
        return self.to_world(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1))

    def same_as(self, other: Space, tolerance_voxels: float = 1e-3) -> bool:
        """Whether both grids have the same shape and no voxel lies further apart than a small part of a voxel."""
        if self is other or self.shape != other.shape:
            return self is other
        if torch.equal(self.matrix, other.matrix):  # asked for at every step of a registration
            return True
        ends = torch.tensor([[0] * self.dimension, [n - 1 for n in self.shape]], dtype=torch.float64)
        corners = torch.cartesian_prod(*ends.T) if self.dimension > 1 else ends
        apart = self.to_voxels(other.to_world(corners)) - corners
        return float(apart.abs().max()) <= tolerance_voxels

    def resized(self, shape: Sequence[int]) -> Space:
        """The same field of view cut into another number of voxels."""
        shape = self._per_axis(shape, "a shape")
        if min(shape) < 1:
            raise SpaceError(f"cannot resize to the shape {shape}; every axis needs at least one voxel")
        factor = torch.tensor([old / new for old, new in zip(self.shape, shape, strict=True)], dtype=torch.float64)
        change = torch.eye(self.dimension + 1, dtype=torch.float64)
        change[:-1, :-1] = torch.diag(factor)
        change[:-1, -1] = (factor - 1) / 2
        return Space(shape, self.matrix @ change)

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Space:
        """The grid of `data[start:stop]`; negative starts and stops beyond the end pad instead."""
        start, stop = self._per_axis(start, "a start"), self._per_axis(stop, "a stop")
        change = torch.eye(self.dimension + 1, dtype=torch.float64)
        change[:-1, -1] = torch.tensor(start, dtype=torch.float64)
        return Space(tuple(b - a for a, b in zip(start, stop, strict=True)), self.matrix @ change)

    def flip(self, axis: int) -> Space:
        """The grid of `data.flip(axis)`: the same voxels, stored the other way round."""
        (axis,) = self._axes([axis])
        change = torch.eye(self.dimension + 1, dtype=torch.float64)
        change[axis, axis], change[axis, -1] = -1.0, self.shape[axis] - 1
        return Space(self.shape, self.matrix @ change)

    def permute(self, order: Sequence[int]) -> Space:
        """The grid of `data.permute(order)`: the same voxels, stored with the axes in another order."""
        axes = self._axes(order)
        if sorted(axes) != list(range(self.dimension)):
            raise SpaceError(f"an order of {self.dimension} axes must name each of them once; got {tuple(order)}")
        return Space(tuple(self.shape[a] for a in axes), self.matrix[:, [*axes, self.dimension]])

    def _per_axis(self, numbers: Sequence[int], what: str) -> Shape:
        if len(numbers) != self.dimension:
            raise SpaceError(f"{what} for {self!r} needs {self.dimension} numbers; got {tuple(numbers)}")
        return tuple(int(n) for n in numbers)

    def _axes(self, axes: Sequence[int]) -> list[int]:
        """Axes counted from the front; negative ones count from the end, as everywhere in Python."""
        if not all(-self.dimension <= a < self.dimension for a in axes):
            raise SpaceError(f"{self!r} has the axes 0 to {self.dimension - 1}; got {tuple(axes)}")
        return [a % self.dimension for a in axes]

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.shape)
        spacing = " x ".join(f"{s:.4g}" for s in self.spacing)
        return f"Space({size} voxels of {spacing} mm)"


def apply_matrix(matrix: Matrix, points: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    """Apply a homogeneous (D+1, D+1) matrix to points (..., D), in the points' own precision and device."""
    matrix = matrix.to(points.device, points.dtype)
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]

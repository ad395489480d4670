"""Affine: one matrix, and constructors for the useful ones about any centre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pullback.errors import InputError
from pullback.space import Space, apply_matrix
from pullback.transforms.transform import Transform
from pullback.typing import Field, Matrix, PointsTensor, Tensor


@dataclass(frozen=True, eq=False)
class Affine(Transform):
    """x -> matrix x, in world mm.

    Attributes:
        matrix: (D+1, D+1) homogeneous matrix, float64, fixed world -> moving world.

    Raises:
        InputError: the matrix is not homogeneous, not finite, or cannot be inverted.

    Example:
        The tutorial's first exercise, an image turned by 30 degrees clockwise on the screen about its middle:

        >>> space = Space.of_array((40, 64))
        >>> turn = Affine.rigid(angles_degrees=-30, centre=space.centre)
        >>> turn(space.centre).allclose(space.centre)
        True
    """

    matrix: Matrix

    def __post_init__(self) -> None:
        matrix = torch.as_tensor(self.matrix).to("cpu", torch.float64)
        if tuple(matrix.shape) not in ((3, 3), (4, 4)):
            raise InputError(f"an affine transform needs a 3x3 (2D) or 4x4 (3D) matrix; got {tuple(matrix.shape)}")
        d = matrix.shape[-1] - 1
        values = (
            matrix.detach().numpy()
        )  # NumPy: thousands are made during a registration, and torch is slow on 9 numbers
        if not np.isfinite(values).all():
            raise InputError("an affine transform needs a finite matrix; got NaN or infinity")
        last = [0.0] * d + [1.0]
        if np.abs(values[-1] - last).max() > 1e-9:
            raise InputError(f"the last row of an affine matrix must be {last}; got {values[-1].tolist()}")
        if abs(np.linalg.det(values[:-1, :-1])) < 1e-12:
            raise InputError("an affine matrix must be invertible; this one flattens space")
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls, dimension: int) -> Affine:
        """The transform that changes nothing."""
        return cls(torch.eye(dimension + 1, dtype=torch.float64))

    @classmethod
    def translation(cls, shift_mm: Sequence[float] | Tensor) -> Affine:
        """The map x -> x + shift. The warped image moves by *minus* the shift, since it is pulled back."""
        shift = torch.as_tensor(shift_mm, dtype=torch.float64)
        if shift.shape not in ((2,), (3,)):
            raise InputError(f"a translation needs 2 or 3 numbers, mm along x, y (and z); got {shift.tolist()}")
        matrix = torch.eye(len(shift) + 1, dtype=torch.float64)
        matrix[:-1, -1] = shift
        return cls(matrix)

    @classmethod
    def rigid(
        cls,
        angles_degrees: float | Sequence[float] = 0.0,
        shift_mm: Sequence[float] | Tensor | None = None,
        centre: Sequence[float] | Tensor | None = None,
        dimension: int = 2,
    ) -> Affine:
        """Rotate about a centre, then shift.

        Args:
            angles_degrees: one number in 2D: positive turns points from the world's x axis towards its y axis. On the
                screen, where ITK's placement of bare arrays has x to the left and y up, points then turn clockwise and
                the *warped image* turns counter-clockwise. Three numbers in 3D: turns about the world's x, then y, then
                z axis, each right-handed.
            shift_mm: added after the rotation, (D,).
            centre: the point that a pure rotation leaves where it is, world mm; the world's origin by default.
            dimension: 2 or 3, needed only where nothing else tells.
        """
        return cls.similarity(1.0, angles_degrees, shift_mm, centre, dimension)

    @classmethod
    def similarity(
        cls,
        scale: float = 1.0,
        angles_degrees: float | Sequence[float] = 0.0,
        shift_mm: Sequence[float] | Tensor | None = None,
        centre: Sequence[float] | Tensor | None = None,
        dimension: int = 2,
    ) -> Affine:
        """Rotate and scale evenly about a centre, then shift. See `rigid`."""
        angles: list[float] = torch.as_tensor(angles_degrees, dtype=torch.float64).flatten().tolist()
        d = 3 if len(angles) == 3 else next((len(v) for v in (shift_mm, centre) if v is not None), dimension)
        if len(angles) != (1 if d == 2 else 3) and any(angles):
            raise InputError(f"a {d}D rotation needs {1 if d == 2 else 3} angle(s); got {angles}")
        return cls.about(scale * rotation(angles, d), shift_mm, centre)

    @classmethod
    def about(
        cls,
        linear: Matrix,
        shift_mm: Sequence[float] | Tensor | None = None,
        centre: Sequence[float] | Tensor | None = None,
    ) -> Affine:
        """The map x -> linear (x - centre) + centre + shift, for any (D, D) linear part: scaling, shear, rotation."""
        linear = torch.as_tensor(linear).to("cpu", torch.float64)
        if tuple(linear.shape) not in ((2, 2), (3, 3)):
            raise InputError(f"the linear part of a transform must be 2x2 or 3x3; got {tuple(linear.shape)}")
        d = linear.shape[-1]
        zero = torch.zeros(d, dtype=torch.float64)
        shift = zero if shift_mm is None else torch.as_tensor(shift_mm, dtype=torch.float64)
        middle = zero if centre is None else torch.as_tensor(centre, dtype=torch.float64)
        if shift.shape != (d,) or middle.shape != (d,):
            raise InputError(f"shift and centre of a {d}D transform need {d} numbers each")
        offset = (middle + shift - linear @ middle)[:, None]
        last = torch.eye(d + 1, dtype=torch.float64)[-1:]
        return cls(torch.cat([torch.cat([linear, offset], dim=1), last]))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.matrix.shape[0]) - 1

    @property
    def linear(self) -> Matrix:
        """The (D, D) part: rotation, scale and shear."""
        return self.matrix[:-1, :-1]

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return apply_matrix(self.matrix, points)

    def inverse(self) -> Affine:
        """The exact inverse."""
        return Affine(torch.linalg.inv(self.matrix))

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        change = (self.matrix - torch.eye(self.dimension + 1, dtype=torch.float64)) @ space.matrix
        if first is None:
            field = torch.zeros(self.dimension, *space.shape)
        else:
            field = (self.linear.to(first) @ first.flatten(1)).view(first.shape)
        offset = change[:-1, -1].view(-1, *[1] * self.dimension)
        for axis, n in enumerate(space.shape):
            ramp = torch.arange(n, dtype=torch.float64).view([n if a == axis else 1 for a in range(self.dimension)])
            field = field + (change[:-1, axis].view(-1, *[1] * self.dimension) * ramp + offset).to(field)
            offset = torch.zeros_like(offset)
        return field

    def __repr__(self) -> str:
        shift = ", ".join(f"{v:.4g}" for v in self.matrix[:-1, -1].tolist())
        return f"Affine({self.dimension}D, determinant {float(torch.linalg.det(self.linear)):.4g}, offset ({shift}) mm)"


def rotation(angles_degrees: Sequence[float], dimension: int) -> Matrix:
    """(D, D) rotation matrix: in 2D by one angle from x towards y; in 3D about x, then y, then z (right-handed)."""
    if dimension == 2:
        return _turn(2, 0, 1, angles_degrees[0] if angles_degrees else 0.0)
    x, y, z = angles_degrees if len(angles_degrees) == 3 else (0.0, 0.0, 0.0)
    return _turn(3, 0, 1, z) @ _turn(3, 2, 0, y) @ _turn(3, 1, 2, x)


def _turn(d: int, a: int, b: int, degrees: float) -> Matrix:
    matrix = torch.eye(d, dtype=torch.float64)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[a, a], matrix[b, b], matrix[a, b], matrix[b, a] = c, c, -s, s
    return matrix

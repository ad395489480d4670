"""How ITK places images, and how we do.

ITK, and with it MetaImage, NRRD, DICOM and the transform files: LPS millimetres (x to the left, y to the back), size,
spacing and direction listed from the fastest axis on. Ours: RAS+ millimetres, data order (slowest axis first). In 2D
both x and y change sign as well. These few functions are the only place where one becomes the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.typing import Field, Matrix

ORTHOGONAL = 1e-4
"""The largest cosine between two axes that still counts as a right angle."""


@dataclass(frozen=True)
class Grid:
    """A grid as ITK describes it: LPS mm, fastest axis first.

    Attributes:
        size: number of voxels.
        spacing: mm.
        origin: the centre of the first voxel.
        direction: (D, D), column k is the unit vector of axis k.
    """

    size: tuple[int, ...]
    spacing: np.ndarray
    origin: np.ndarray
    direction: np.ndarray

    @property
    def sheared(self) -> bool:
        """Whether two axes are not at right angles."""
        cosines = self.direction.T @ self.direction - np.eye(len(self.size))
        return bool(np.abs(cosines).max() > ORTHOGONAL)

    def space(self) -> Space:
        """The same grid as a Space."""
        d = len(self.size)
        matrix = np.eye(d + 1)
        matrix[:d, :d] = self.direction * self.spacing
        matrix[:d, d] = self.origin
        return space_of(self.size, signs(d)[:, None] * matrix)


def grid_of(space: Space) -> Grid:
    """A Space as ITK describes it."""
    d = space.dimension
    matrix = signs(d)[:, None] * fastest_first(space)
    spacing = np.linalg.norm(matrix[:d, :d], axis=0)
    return Grid(space.shape[::-1], spacing, matrix[:d, d], matrix[:d, :d] / spacing)


def space_of(size: Sequence[int], matrix: np.ndarray) -> Space:
    """A Space from a size and a (D+1, D+1) index -> RAS matrix whose axes are listed from the fastest on."""
    d = len(size)
    columns = [*range(d - 1, -1, -1), d]
    return Space(tuple(reversed(size)), torch.from_numpy(np.ascontiguousarray(matrix[:, columns], dtype=np.float64)))


def fastest_first(space: Space) -> np.ndarray:
    """The voxel -> RAS matrix of a Space with its columns from the fastest axis on."""
    d = space.dimension
    matrix: np.ndarray = space.matrix.numpy()[:, [*range(d - 1, -1, -1), d]]
    return matrix


def signs(dimension: int) -> np.ndarray:
    """What LPS coordinates are multiplied by to become RAS, and back: x and y change sign; homogeneous."""
    return np.array([-1.0, -1.0, *[1.0] * (dimension - 1)])


def other_side(matrix: Matrix) -> Matrix:
    """A homogeneous map of LPS points as a map of RAS points, or back."""
    flip = torch.from_numpy(signs(matrix.shape[0] - 1))
    return flip[:, None] * matrix * flip


def field_from_itk(vectors: np.ndarray) -> Field:
    """(*shape, D) LPS vectors, as ITK stores them, as a (D, *shape) float32 field in RAS."""
    field = np.empty((vectors.shape[-1], *vectors.shape[:-1]), np.float32)
    for axis, sign in enumerate(signs(len(field))[:-1]):
        np.multiply(vectors[..., axis], np.float32(sign), out=field[axis], casting="same_kind")
    return torch.from_numpy(field)


def field_to_itk(field: Field) -> np.ndarray:
    """The opposite of `field_from_itk`: (*shape, D) float32, contiguous."""
    ras = field.detach().cpu().numpy()
    vectors = np.empty((*ras.shape[1:], len(ras)), np.float32)
    for axis, sign in enumerate(signs(len(ras))[:-1]):  # numpy interleaves several times faster than torch
        np.multiply(ras[axis], np.float32(sign), out=vectors[..., axis], casting="same_kind")
    return vectors


def negated_xy(field: Field) -> Field:
    """A copy of a field with its x and y components negated: LPS to RAS, or back."""
    return field * torch.from_numpy(signs(len(field))[:-1]).to(field).view(-1, *[1] * (field.ndim - 1))


def require_right_angles(grid: Grid, format_name: str) -> None:
    """Refuse a sheared grid where a format has no place for it.

    Raises:
        InputError: two axes are not at right angles.
    """
    if grid.sheared:
        raise InputError(f"{format_name} cannot hold this image: its axes are not at right angles (a sheared grid); "
                         "write .nii or .nii.gz instead")  # fmt: skip

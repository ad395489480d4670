"""Where a NIfTI image lies: one rule for headers that agree with themselves and for those that do not.

The header may say it three times: the sform (a matrix), the qform (a rotation and pixdim) and pixdim alone. The sform
is believed first, then the qform, then pixdim placed as ITK places it. Where the sform's column lengths differ from
pixdim by more than 1 %, the qform is used if there is one; else the sform's directions and origin with the lengths of
pixdim. Every such choice is told once. All in float64.
"""

from collections.abc import Sequence

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.geometry import signs, space_of
from pullback.io.images.nifti_header import MM_PER_UNIT, Header
from pullback.space import Space

LENGTHS_AGREE = 0.01
FLAT = 0.01
"""A 2D file lies in the world's x, y plane if its axes lose no more of their length than this when seen from above."""


def place(header: Header) -> tuple[Space, bool, list[str]]:
    """(space, whether the file itself says where it is, what a user must be told)."""
    notes: list[str] = []
    size = header.dims[:3]
    matrix = world_matrix(header, notes)
    if matrix is None:
        steps = [_length(float(s), n, axis) for axis, (s, n) in enumerate(zip(_pixdim(header), size, strict=True))]
        d = 2 if _is_plane(header, np.eye(4)) else 3
        return space_of(size[:d], signs(d)[:, None] * np.diag([*steps[:d], 1.0])), False, notes
    if _is_plane(header, matrix):
        return space_of(size[:2], matrix[np.ix_([0, 1, 3], [0, 1, 3])]), True, notes
    return space_of(size, matrix), True, notes


def world_matrix(header: Header, notes: list[str]) -> np.ndarray | None:
    """The (4, 4) index -> RAS mm matrix, axes i, j, k; None where the header gives none."""
    size, pixdim = header.dims[:3], _pixdim(header)
    sform = _sform(header, notes)
    qform = _qform(header, notes)
    if sform is None:
        return qform
    return reconcile(sform, pixdim, qform, size, notes)


def reconcile(
    sform: np.ndarray, pixdim: np.ndarray, qform: np.ndarray | None, size: Sequence[int], notes: list[str]
) -> np.ndarray:
    """The sform, unless its column lengths contradict pixdim; see the module's rule."""
    lengths = np.linalg.norm(sform[:3, :3], axis=0)
    known = np.isfinite(pixdim) & (pixdim > 0) & (np.array(size) > 1)  # one slice has no spacing to contradict
    if np.all(np.abs(lengths - pixdim)[known] <= LENGTHS_AGREE * pixdim[known]):
        return sform
    said = f"its sform says voxels of {_mm(lengths)} and its pixdim says {_mm(pixdim)}"
    if qform is not None:
        notes.append(f"{said}; using its qform, which agrees with pixdim")
        return qform
    notes.append(f"{said}; using pixdim's sizes with the sform's directions and origin")
    matrix = sform.copy()
    matrix[:3, :3] *= np.where(known, pixdim, lengths) / lengths
    return matrix


def _sform(header: Header, notes: list[str]) -> np.ndarray | None:
    if int(header.fields["sform_code"]) <= 0:
        return None
    matrix = np.vstack([np.asarray(header.fields["srow"], np.float64), [0.0, 0.0, 0.0, 1.0]])
    if not np.isfinite(matrix).all():
        notes.append("its sform holds values that are not finite and is ignored")
        return None
    matrix = _with_thickness(matrix * _scale(header), header)
    if not _invertible(matrix):
        notes.append("its sform is singular and is ignored")
        return None
    return matrix


def _qform(header: Header, notes: list[str]) -> np.ndarray | None:
    if int(header.fields["qform_code"]) <= 0:
        return None
    b, c, d = (float(v) for v in header.fields["quatern"])
    offset = np.asarray(header.fields["qoffset"], np.float64)
    square = b * b + c * c + d * d
    if not (np.isfinite(square) and np.isfinite(offset).all() and square < 1 + 1e-3):
        notes.append("its qform is not a rotation and is ignored")
        return None
    a = float(np.sqrt(1.0 - square)) if 1.0 - square > 1e-7 else 0.0  # half a turn, blurred by single precision
    norm = float(np.sqrt(a * a + square))
    rotation = from_quaternion(a / norm, b / norm, c / norm, d / norm)
    pixdim = _pixdim(header)
    steps = np.array([_length(float(s), n, k) for k, (s, n) in enumerate(zip(pixdim, header.dims[:3], strict=True))])
    if float(header.fields["pixdim"][0]) < 0:  # "qfac": the third axis points the other way
        steps[2] = -steps[2]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * steps
    matrix[:3, 3] = offset * _unit(header)
    return matrix


def from_quaternion(a: float, b: float, c: float, d: float) -> np.ndarray:
    """The (3, 3) rotation of a unit quaternion a + bi + cj + dk."""
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def to_quaternion(rotation: np.ndarray) -> np.ndarray:
    """(b, c, d) of the unit quaternion a + bi + cj + dk, a >= 0, of a (3, 3) rotation.

    The eigenvector of the largest eigenvalue of Bar-Itzhack's symmetric matrix (J. Guidance 23:6, 2000): no special
    cases, and the nearest quaternion where the rotation is not quite one.
    """
    r = rotation
    k = np.array(
        [
            [r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [0.0, r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [0.0, 0.0, r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1]],
            [0.0, 0.0, 0.0, r[2, 2] - r[0, 0] - r[1, 1]],
        ]
    )
    quaternion: np.ndarray = np.linalg.eigh(k, UPLO="U")[1][:, -1]
    if quaternion[0] < 0:
        quaternion = -quaternion
    return quaternion[1:]


def _is_plane(header: Header, matrix: np.ndarray) -> bool:
    """Whether a file is a 2D image of the x, y plane: declared 2D, or a vector image that ITK would call 2D."""
    vectors = header.rank == 5 and header.dims[2:4] == (1, 1) and header.dims[4] > 1 and matrix[2, 3] == 0
    if not (header.rank == 2 or vectors):
        return False
    lengths = np.linalg.norm(matrix[:3, :2], axis=0)
    seen = np.linalg.norm(matrix[:2, :2], axis=0)
    return bool(np.all(seen >= (1 - FLAT) * lengths))


def _with_thickness(matrix: np.ndarray, header: Header) -> np.ndarray:
    """Give a single slice whose third column is empty a direction of its own, so that it is a place in the world."""
    if header.dims[2] > 1 or np.any(matrix[:3, 2] != 0):
        return matrix
    normal = np.cross(matrix[:3, 0], matrix[:3, 1])
    length = np.linalg.norm(normal)
    if length > 0:
        matrix = matrix.copy()
        matrix[:3, 2] = normal / length * _length(float(_pixdim(header)[2]), 1, 2)
    return matrix


def _length(step: float, count: int, axis: int) -> float:
    if np.isfinite(step) and step > 0:
        return step
    if count == 1:
        return 1.0
    raise FileFormatError(f"its header gives voxels of {step:g} mm along axis {axis + 1}; repair pixdim, or say where "
                          "the image lies with an sform")  # fmt: skip


def _pixdim(header: Header) -> np.ndarray:
    steps: np.ndarray = np.abs(np.asarray(header.fields["pixdim"][1:4], np.float64)) * _unit(header)
    return steps


def _unit(header: Header) -> float:
    return MM_PER_UNIT.get(int(header.fields["xyzt_units"]) & 7, 1.0)


def _scale(header: Header) -> np.ndarray:
    unit = _unit(header)
    return np.array([[unit], [unit], [unit], [1.0]])


def _invertible(matrix: np.ndarray) -> bool:
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(lengths.min() > 0 and abs(np.linalg.det(matrix[:3, :3])) > 1e-6 * lengths.prod())


def _mm(lengths: np.ndarray) -> str:
    return " x ".join(f"{v:.4g}" for v in lengths) + " mm"

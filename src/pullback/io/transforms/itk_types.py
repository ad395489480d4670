"""What ITK's transforms mean: a type name, parameters and fixed parameters, as a Transform and back.

Sources: the class documentation of ITK 5 for each type. All of ITK's matrix transforms are x -> M (x - c) + c + t with
a centre c; they differ in how M is written. ITK works in LPS mm; what comes out here is RAS+.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pullback.errors import FileFormatError
from pullback.io.geometry import field_from_itk, field_to_itk, other_side
from pullback.io.limits import check_memory
from pullback.io.transforms.itk_bspline import bspline_from_itk, bspline_to_itk
from pullback.io.transforms.itk_grid import fixed_from_space, grid_from_fixed
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Displacement, Transform

Array = np.ndarray
FEW = 1_000_000
"""So many voxels of a field are sampled at a time."""


@dataclass(frozen=True)
class Record:
    """One transform as every ITK file stores it.

    Attributes:
        kind: such as "AffineTransform_double_3_3".
        parameters: what is optimised.
        fixed: what is not: the centre of rotation, or the grid of a field.
    """

    kind: str
    parameters: Array
    fixed: Array

    @property
    def name(self) -> str:
        """The type without its number type and dimensions."""
        return self.kind.partition("_")[0]

    @property
    def dimension(self) -> int:
        """2 or 3, from the type's ending.

        Raises:
            FileFormatError: it has no such ending, or maps between dimensions.
        """
        words = self.kind.split("_")
        if len(words) != 4 or words[2] != words[3] or words[3] not in ("2", "3"):
            raise FileFormatError(f"'{self.kind[:60]}' is not a 2D or 3D transform")
        return int(words[3])


def to_transform(record: Record) -> Transform:
    """The Transform of one record.

    Raises:
        FileFormatError: an unknown type, or a wrong number of parameters.
    """
    if record.name == "DisplacementFieldTransform":
        return _displacement(record)
    if record.name == "BSplineTransform":
        return bspline_from_itk(record.parameters, record.fixed, record.dimension)
    if record.name == "IdentityTransform":
        return Affine.identity(record.dimension)
    if record.name not in MATRICES:
        raise FileFormatError(
            f"transforms of the type {record.name[:40]} are not read; write it as a displacement field"
        )
    read = MATRICES[record.name]
    d = record.dimension
    parameters = np.asarray(record.parameters, np.float64)
    if len(parameters) != read.count(d):
        raise FileFormatError(f"{record.name} has {len(parameters)} parameters; {read.count(d)} are needed")
    if not np.isfinite(parameters).all() or not np.isfinite(record.fixed).all():
        raise FileFormatError(f"{record.name} has parameters that are not finite")
    centre = np.zeros(d)
    if len(record.fixed) >= d and read.centred:
        centre = np.asarray(record.fixed[:d], np.float64)
    linear, shift, own_centre = read.meaning(parameters, record.fixed, d)
    centre = centre if own_centre is None else own_centre
    matrix = np.eye(d + 1)
    matrix[:d, :d] = linear
    matrix[:d, d] = centre + shift - linear @ centre
    return Affine(other_side(torch.from_numpy(matrix)))


def from_affine(transform: Affine) -> Record:
    """An AffineTransform with its centre at the origin."""
    d = transform.dimension
    matrix = other_side(transform.matrix.detach()).numpy()
    parameters = np.concatenate([matrix[:d, :d].ravel(), matrix[:d, d]])
    return Record(f"AffineTransform_double_{d}_{d}", parameters, np.zeros(d))


def from_displacement(transform: Displacement, onto: Space | None = None) -> Record:
    """A DisplacementFieldTransform with float32 parameters, on another grid if one is given."""
    space = transform.space if onto is None else onto
    d, fixed = transform.dimension, fixed_from_space(space)
    name = f"DisplacementFieldTransform_double_{d}_{d}"
    if onto is None:
        return Record(name, field_to_itk(transform.field).ravel(), fixed)
    vectors = np.empty((*space.shape, d), np.float32)
    planes = max(1, FEW * space.shape[0] // space.count)
    for first in range(0, space.shape[0], planes):  # a few planes at a time: no second field of the whole
        last = min(first + planes, space.shape[0])
        cut = space.crop([first, *[0] * (d - 1)], [last, *space.shape[1:]])
        vectors[first:last] = field_to_itk(transform.displace(cut).float())
    return Record(name, vectors.ravel(), fixed)


def from_bspline(transform: BSpline) -> Record:
    """A BSplineTransform; see `itk_bspline` for where ITK reads it alike."""
    return Record(f"BSplineTransform_double_{transform.dimension}_{transform.dimension}", *bspline_to_itk(transform))


def _displacement(record: Record) -> Displacement:
    d = record.dimension
    grid = grid_from_fixed(record.fixed, d, record.name)
    if len(record.parameters) != math.prod(grid.size) * d:
        raise FileFormatError(f"{record.name} has {len(record.parameters)} numbers for a grid of {grid.size}")
    check_memory(len(record.parameters) * 4)
    field = field_from_itk(record.parameters.reshape(*grid.size[::-1], d))
    return Displacement(field, grid.space())


# ---- matrices: parameters, fixed parameters, dimension -> (linear, translation, centre if among the parameters)

Meaning = Callable[[Array, Array, int], tuple[Array, Array, Array | None]]


@dataclass(frozen=True)
class _Matrix:
    count: Callable[[int], int]
    meaning: Meaning
    centred: bool = True


def _affine(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return p[: d * d].reshape(d, d), p[d * d : d * d + d], None


def _centred_affine(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return p[: d * d].reshape(d, d), p[d * d + d :], p[d * d : d * d + d]


def _translation(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return np.eye(d), p, None


def _scale(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return np.diag(p), np.zeros(d), None


def _turn(angle: float) -> Array:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]])


def _euler2(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _turn(p[0]), p[1:3], None


def _centred_rigid2(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _turn(p[0]), p[3:5], p[1:3]


def _similarity2(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return p[0] * _turn(p[1]), p[2:4], None


def _centred_similarity2(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return p[0] * _turn(p[1]), p[4:6], p[2:4]


def _euler3(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _euler_matrix(p, zyx=len(fixed) > 3 and fixed[3] != 0), p[3:6], None


def _centred_euler3(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _euler_matrix(p, zyx=len(fixed) > 3 and fixed[3] != 0), p[6:9], p[3:6]


def _euler_matrix(p: Array, zyx: bool) -> Array:
    x, y, z = np.eye(3), np.eye(3), np.eye(3)
    x[1:, 1:], z[:2, :2] = _turn(p[0]), _turn(p[2])
    y[np.ix_([2, 0], [2, 0])] = _turn(p[1])
    turned: Array = z @ y @ x if zyx else z @ x @ y
    return turned


def _versor(v: Array) -> Array:
    """The rotation of a unit quaternion from its vector part."""
    x, y, z = v
    square = x * x + y * y + z * z
    if square > 1 + 1e-9:
        raise FileFormatError(f"the versor {v.tolist()} is longer than 1 and is no rotation")
    return _quaternion(x, y, z, math.sqrt(max(0.0, 1.0 - square)))


def _quaternion(x: float, y: float, z: float, w: float) -> Array:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _versor_only(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _versor(p[:3]), np.zeros(3), None


def _versor_rigid(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return _versor(p[:3]), p[3:6], None


def _quaternion_rigid(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    x, y, z, w = p[:4] / np.linalg.norm(p[:4])
    return _quaternion(x, y, z, w), p[4:7], None


def _similarity3(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    return p[6] * _versor(p[:3]), p[3:6], None


def _scale_versor(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    """ITK adds the scales to the rotation's diagonal instead of multiplying by them."""
    return _versor(p[:3]) + np.diag(p[6:9] - 1), p[3:6], None


def _scale_skew_versor(p: Array, fixed: Array, d: int) -> tuple[Array, Array, Array | None]:
    linear = _versor(p[:3]) + np.diag(p[6:9] - 1)
    linear[~np.eye(3, dtype=bool)] += p[9:15]
    return linear, p[3:6], None


MATRICES = {
    **dict.fromkeys(("AffineTransform", "MatrixOffsetTransformBase", "FixedCenterOfRotationAffineTransform",
                     "ScalableAffineTransform"), _Matrix(lambda d: d * d + d, _affine)),
    "CenteredAffineTransform": _Matrix(lambda d: d * d + 2 * d, _centred_affine),
    "TranslationTransform": _Matrix(lambda d: d, _translation, centred=False),
    "ScaleTransform": _Matrix(lambda d: d, _scale),
    **dict.fromkeys(("Euler2DTransform", "Rigid2DTransform"), _Matrix(lambda d: 3, _euler2)),
    "CenteredRigid2DTransform": _Matrix(lambda d: 5, _centred_rigid2),
    "Similarity2DTransform": _Matrix(lambda d: 4, _similarity2),
    "CenteredSimilarity2DTransform": _Matrix(lambda d: 6, _centred_similarity2),
    "Euler3DTransform": _Matrix(lambda d: 6, _euler3),
    "CenteredEuler3DTransform": _Matrix(lambda d: 9, _centred_euler3),
    "VersorTransform": _Matrix(lambda d: 3, _versor_only),
    "VersorRigid3DTransform": _Matrix(lambda d: 6, _versor_rigid),
    "QuaternionRigidTransform": _Matrix(lambda d: 7, _quaternion_rigid),
    "Similarity3DTransform": _Matrix(lambda d: 7, _similarity3),
    "ScaleVersor3DTransform": _Matrix(lambda d: 9, _scale_versor),
    "ScaleSkewVersor3DTransform": _Matrix(lambda d: 15, _scale_skew_versor),
}  # fmt: skip

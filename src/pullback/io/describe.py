"""What a file is, in a few facts: behind `pullback info`."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from pullback.errors import FileFormatError, PullbackWarning
from pullback.io.atomic import full_suffix
from pullback.io.geometry import fastest_first
from pullback.io.image_file import reading
from pullback.io.images.arrays import split_key
from pullback.io.images.nifti import read_header
from pullback.io.images.nifti_header import DISPLACEMENT, VECTOR
from pullback.io.images.read import open_image
from pullback.io.points import SUFFIXES as POINT_SUFFIXES
from pullback.io.points import read_points
from pullback.io.transforms.files import read_transform
from pullback.space import Space
from pullback.transforms import (
    Affine,
    BSpline,
    Composite,
    Displacement,
    Flow,
    Inverse,
    ThinPlateSpline,
    Transform,
    Velocity,
)
from pullback.transforms.split import as_displacement

TRANSFORM_SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat")


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file holds, as plain values that can be printed or written as JSON.

    Args:
        path: of an image, a DICOM folder, a transform or points.

    Returns:
        `kind` ("image", "transform" or "points"), `format`, `warnings`, and by kind:

        - image: `dimension`, `shape` (data order), `spacing` (mm, data order), `orientation` (where the axes point, in
          data order, such as "SPL" for slices to the head, rows to the back, columns to the left), `size_mm`, `centre`
          (world mm), `channels`, `frames`, `dtype` (as stored), `range` (of the first frame), `placed` (whether the
          file says where it lies), `matrix` (voxel in data order -> world);
        - transform: `dimension`, `parts`, `matrix` (if it is one), `determinant`, `largest_displacement_mm` and
          `jacobian` (smallest and largest, on the field's own grid);
        - points: `dimension`, `count`, `lowest`, `highest`.

    Raises:
        FileFormatError: it cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.npy"
        >>> np.save(path, np.eye(3))
        >>> describe(path)["shape"]
        [3, 3]
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PullbackWarning)
        facts = _describe(os.fspath(path))
    told = [str(w.message).removeprefix(f"{path}: ") for w in caught if issubclass(w.category, PullbackWarning)]
    return {**facts, "warnings": told}


def _describe(path: str) -> dict[str, Any]:
    file = split_key(path)[0]
    suffix = full_suffix(file)
    if suffix in POINT_SUFFIXES or file.suffix.lower() in POINT_SUFFIXES:
        return _points(path, suffix)
    if file.suffix.lower() in TRANSFORM_SUFFIXES or _is_field(file):
        return _transform(path, suffix)
    return _image(path)


def _is_field(file: Path) -> bool:
    if not full_suffix(file).startswith(".nii") or not file.is_file():
        return False
    with reading(file):
        header = read_header(file)
    flat = header.dims[2] == 1
    return header.intent in (VECTOR, DISPLACEMENT) and header.dims[4] == (2 if flat else 3) and header.dims[3] == 1


def _image(path: str) -> dict[str, Any]:
    image = open_image(path)
    space = image.space
    with reading(path):
        array = image.load(image.frame or 0)
        finite = array if array.dtype.kind != "f" else array[np.isfinite(array)]
        facts = {
            "kind": "image",
            "format": image.format,
            **_of_space(space),
            "channels": image.channels,
            "frames": image.frames,
            "dtype": image.dtype.name,
            "range": [finite.min().item(), finite.max().item()] if finite.size else None,
            "placed": image.placed,
        }
        if finite.size < array.size:
            warnings.warn(f"{path}: {array.size - finite.size} values are not finite", PullbackWarning, stacklevel=2)
    return facts


def _of_space(space: Space) -> dict[str, Any]:
    return {
        "dimension": space.dimension,
        "shape": list(space.shape),
        "spacing": [round(s, 6) for s in space.spacing],
        "orientation": orientation(space),
        "size_mm": [round(e, 4) for e in space.extent],
        "centre": [round(c, 4) for c in space.centre.tolist()],
        "matrix": space.matrix.tolist(),
    }


def orientation(space: Space) -> str:
    """Where each axis points, in data order: R, L, A, P, S or I, by its largest component.

    Example:
        >>> orientation(Space.of_array((4, 5, 6)))
        'SPL'
    """
    d = space.dimension
    linear = fastest_first(space)[:d, :d]
    letters = []
    free = list(range(d))
    for axis in sorted(range(d), key=lambda a: -np.abs(linear[:, a] / np.linalg.norm(linear[:, a])).max()):
        world = max(free, key=lambda w: abs(linear[w, axis]))
        free.remove(world)
        letters.append((axis, "RAS"[world] if linear[world, axis] > 0 else "LPI"[world]))
    return "".join(letter for _, letter in sorted(letters, reverse=True))


def _transform(path: str, suffix: str) -> dict[str, Any]:
    transform = read_transform(path)
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    facts: dict[str, Any] = {
        "kind": "transform",
        "format": "displacement field" if suffix.startswith(".nii") else f"ITK {suffix}",
        "dimension": transform.dimension,
        "parts": [repr(part) for part in parts],
    }
    if isinstance(transform, Affine):
        facts["matrix"] = transform.matrix.tolist()
        facts["determinant"] = float(np.linalg.det(transform.linear.numpy()))
    grid = _own_grid(parts)
    if grid is not None:
        total = Displacement(as_displacement(transform, grid), grid)
        facts["grid"] = _of_space(grid)
        facts["largest_displacement_mm"] = float(total.field.norm(dim=0).max())
        jacobian = total.jacobian()
        facts["jacobian"] = [float(jacobian.min()), float(jacobian.max())]
        facts["folded"] = float((jacobian <= 0).double().mean())
    return facts


def _own_grid(parts: tuple[Transform, ...]) -> Space | None:
    """The grid of the field that comes first; of a spline, one that shows its bends."""
    for part in reversed(parts):
        if isinstance(part, Displacement | Velocity | Flow):
            return part.space
        if isinstance(part, BSpline):
            return part.space.resized([4 * n for n in part.space.shape])
        if isinstance(part, Inverse) and not isinstance(part.forward, ThinPlateSpline):
            return part.forward.space
    return None


def _points(path: str, suffix: str) -> dict[str, Any]:
    points = read_points(path)
    world = points.numpy()
    if not len(world):
        raise FileFormatError(f"cannot read {path}: it holds no points")
    return {
        "kind": "points",
        "format": suffix.lstrip("."),
        "dimension": points.dimension,
        "count": len(world),
        "lowest": world.min(axis=0).tolist(),
        "highest": world.max(axis=0).tolist(),
    }

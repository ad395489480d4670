"""Points: CSV with a header x,y[,z] in world RAS+ mm, 3D Slicer's .fcsv and .mrk.json, and the points of meshes."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import torch

from pullback.errors import FileFormatError, InputError
from pullback.image import Points
from pullback.io import meshes, slicer_points
from pullback.io.atomic import atomic, full_suffix
from pullback.io.image_file import reading

AXES = ("x", "y", "z")
SIGMA = "sigma_mm"
LARGEST = 1 << 28
SUFFIXES = (".csv", ".fcsv", ".mrk.json", ".json")
MESHES = {".vtk": meshes.parse_vtk, ".ply": meshes.parse_ply}


def read_points(path: str | os.PathLike[str]) -> Points:
    r"""Points in world RAS+ mm.

    Args:
        path: .csv whose first line names the columns x, y and, in 3D, z (others are ignored), in RAS+ mm; or a 3D
            Slicer .fcsv or .mrk.json, whose own coordinate system is respected; or a mesh, .vtk (legacy) or .ply, of
            which the points are taken, in LPS mm unless it says SPACE=RAS.

    Raises:
        FileFormatError: the file is missing, has no such columns, or holds something that is not a finite number.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "p.csv"
        >>> _ = path.write_text("name,x,y,z\napex,1,2,3\n")
        >>> read_points(path).numpy()
        array([[1., 2., 3.]])
    """
    name = os.fspath(path)
    with reading(name):
        mesh = MESHES.get(Path(name).suffix.lower())
        world = _PARSERS[_format(name)](_text(Path(name))) if mesh is None else mesh(_bytes(Path(name)))
        if not np.isfinite(world).all():
            raise FileFormatError("it holds coordinates that are not finite numbers")
        return Points(torch.from_numpy(world))


def read_uncertainties(path: str | os.PathLike[str]) -> list[float] | None:
    """The column sigma_mm of a .csv of points, how uncertain each of them is; None where there is no such column.

    Raises:
        FileFormatError: the file is missing, or a value is no number.
    """
    name = os.fspath(path)
    with reading(name):
        if _format(name) != ".csv":
            return None
        header, rows, _ = _table(_text(Path(name)))
        names = [cell.strip().lower() for cell in header]
        if SIGMA not in names:
            return None
        try:
            return [float(row[names.index(SIGMA)]) for row in rows]
        except (ValueError, IndexError):
            raise FileFormatError(f"its column {SIGMA} has a value that is no number") from None


def write_points(points: Points, path: str | os.PathLike[str], like: str | os.PathLike[str] | None = None) -> None:
    """Write points in world RAS+ mm (Slicer's files: in the coordinate system that they declare).

    Args:
        points: (N, D).
        path: .csv, .fcsv or .mrk.json.
        like: the file that the points came from; its other columns, names and settings are kept, if it is of the same
            format.

    Raises:
        InputError: an unknown suffix, or `like` has another number of points.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "p.csv"
        >>> write_points(Points(torch.tensor([[1.0, 2.0]])), path)
        >>> path.read_text().split()
        ['x,y', '1.0,2.0']
    """
    world = points.numpy()
    kind = _format(os.fspath(path), InputError)
    kept = None
    if like is not None and Path(like).suffix.lower() not in MESHES:
        with reading(os.fspath(like)):
            kept = _text(Path(like)) if _format(os.fspath(like)) == kind else None
    try:
        text = _WRITERS[kind](world, kept)
    except (InputError, csv.Error) as error:
        raise InputError(f"cannot write {path}: {error}") from error
    with atomic(path) as one:
        one.write_text(text, encoding="utf-8", newline="")


def _format(name: str, error: type[InputError] = FileFormatError) -> str:
    suffix = full_suffix(name)
    suffix = suffix if suffix in SUFFIXES else Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        meshes = " (meshes are read, not written)" if suffix in MESHES else ", or to read .vtk or .ply"
        raise error(f"'{suffix}' is no point format that pullback knows; use .csv, .fcsv or .mrk.json{meshes}: {name}")
    return ".mrk.json" if suffix == ".json" else suffix


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8-sig", "replace")


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise FileFormatError("the file is too large to be a list of points")
    return path.read_bytes()


def _parse_csv(text: str) -> np.ndarray:
    _, rows, columns = _table(text)
    values = []
    for number, row in enumerate(rows, start=2):
        try:
            values.append([float(row[c]) for c in columns])
        except (ValueError, IndexError):
            raise FileFormatError(f"line {number} has no number for {' or '.join(AXES[: len(columns)])}: "
                                  f"'{','.join(row)[:60]}'") from None  # fmt: skip
    return np.array(values, dtype=np.float64).reshape(-1, len(columns))


def _table(text: str) -> tuple[list[str], list[list[str]], list[int]]:
    """(header, rows, positions of x, y and z)."""
    lines = list(csv.reader(io.StringIO(text)))
    header = lines[0] if lines else []
    names = [name.strip().lower() for name in header]
    columns = [names.index(axis) for axis in AXES if axis in names]
    if len(columns) < 2 or "x" not in names or "y" not in names:
        raise FileFormatError("its first line must name the columns x,y (2D) or x,y,z (3D), in world RAS+ mm; it is "
                              f"'{','.join(header)[:60]}'")  # fmt: skip
    return header, [row for row in lines[1:] if any(cell.strip() for cell in row)], columns


def _write_csv(world: np.ndarray, like: str | None) -> str:
    d = world.shape[1]
    header, rows, columns = list(AXES[:d]), [[""] * d for _ in world], list(range(d))
    if like is not None:
        header, rows, columns = _table(like)
        if len(rows) != len(world) or len(columns) != d:
            raise InputError(f"there are {len(world)} points of {d} coordinates, but the file they came from has "
                             f"{len(rows)} of {len(columns)}")  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for point, row in zip(world.tolist(), rows, strict=True):
        for value, column in zip(point, columns, strict=True):
            row[column] = repr(value)
        writer.writerow(row)
    return out.getvalue()


_PARSERS = {".csv": _parse_csv, ".fcsv": slicer_points.parse_fcsv, ".mrk.json": slicer_points.parse_markups}
_WRITERS = {".csv": _write_csv, ".fcsv": slicer_points.write_fcsv, ".mrk.json": slicer_points.write_markups}

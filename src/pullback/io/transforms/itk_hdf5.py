"""ITK's transforms in HDF5 (.h5): what SimpleITK, ANTs and 3D Slicer exchange, composites and fields included.

Layout, as ITK 5 writes it: /TransformGroup/0, 1, ... each with TransformType, TransformFixedParameters and
TransformParameters. Fields are written as uncompressed float32, which ITK reads as it is: a field of a brain is written
in 0.05 s.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic
from pullback.io.image_file import one_line
from pullback.io.limits import DEFLATE_RATIO, checked_bytes
from pullback.io.transforms.itk_types import Record

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"
DIRECTION = "maps points of the fixed image to points of the moving image, LPS mm; the last part is applied first"
"""Written into every file as the attribute `direction`."""


def read_hdf5(path: Path) -> list[Record]:
    """The records of a file.

    Raises:
        FileFormatError: it is not HDF5, or holds no ITK transform.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            group = file.get("TransformGroup")
            if not isinstance(group, h5py.Group):
                raise FileFormatError("it holds no ITK transform (no TransformGroup)")
            names = sorted((name for name in group if name.isdigit()), key=int)
            return [_record(group[name], path) for name in names]
    except FileFormatError:
        raise
    except Exception as error:  # h5py raises whatever fits: OSError, KeyError, RuntimeError
        raise FileFormatError(f"it is not an HDF5 file that can be read ({one_line(error)})") from error


def _record(group: "h5py.Group", path: Path) -> Record:
    kind = group["TransformType"][()]
    kind = kind.flat[0] if isinstance(kind, np.ndarray) else kind
    text = kind.decode("latin-1") if isinstance(kind, bytes) else str(kind)
    return Record(text, _numbers(group, "Parameters", path), _numbers(group, "FixedParameters", path))


def _numbers(group: "h5py.Group", what: str, path: Path) -> np.ndarray:
    """One list of numbers; ITK before 4.8 misspelled their names."""
    data = group.get("Transform" + what)
    if data is None:
        data = group.get("Tranform" + what)
    if data is None:
        return np.zeros(0)
    if data.dtype.kind not in "fiu" or data.is_virtual or data.external:
        raise FileFormatError(f"its Transform{what} are not numbers of the file's own")
    if data.size:
        checked_bytes((math.prod(data.shape),), data.dtype, path.stat().st_size * DEFLATE_RATIO)
    array: np.ndarray = data[()]
    return np.asarray(array.reshape(-1), array.dtype.newbyteorder("="))


def write_hdf5(records: list[Record], path: Path) -> None:
    """Write records as ITK does."""
    import h5py

    text = h5py.string_dtype("ascii")
    with atomic(path) as one, h5py.File(one, "w") as file:
        file.attrs["direction"] = DIRECTION
        for name, value in (("ITKVersion", "5.4.0"), ("HDFVersion", h5py.version.hdf5_version), ("Writer", "pullback")):
            file.create_dataset(name, data=np.array([value], dtype=object), dtype=text)
        for number, record in enumerate(records):
            group = file.create_group(f"TransformGroup/{number}")
            group.create_dataset("TransformType", data=np.array([record.kind], dtype=object), dtype=text)
            if record.name != "CompositeTransform":
                group.create_dataset("TransformFixedParameters", data=record.fixed.astype(np.float64))
                group.create_dataset("TransformParameters", data=record.parameters)

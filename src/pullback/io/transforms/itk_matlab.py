"""MATLAB level 4 files as ITK and ANTs write them (`0GenericAffine.mat`): two arrays for each transform.

Format: MathWorks, MAT-File Level 4. Each array is five int32 (type, rows, columns, complex, length of the name), the
name, and the numbers. The type is 1000 for big-endian, plus 10 for single precision, 0 for double.
"""

import struct
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import atomic
from pullback.io.transforms.itk_types import Record

LARGEST = 1 << 24


def is_matlab4(head: bytes) -> bool:
    """Whether a file begins like one of ITK's."""
    if len(head) < 20:
        return False
    return _order_at(head, 0) is not None


def _order_at(raw: bytes, at: int) -> str | None:
    """The byte order of the array that begins there; None where none can."""
    for order, kinds in (("<", (0, 10, 100, 110)), (">", (1000, 1010, 1100, 1110))):
        if len(raw) >= at + 20:
            kind, rows, columns, imaginary, name = struct.unpack_from(order + "5i", raw, at)
            if kind in kinds and rows > 0 and columns == 1 and imaginary == 0 and 0 < name < 200:
                return order
    return None


def read_matlab(path: Path) -> list[Record]:
    """The records of a file: pairs of an array named after the transform's type and one named "fixed".

    Raises:
        FileFormatError: it is not of this kind, or is cut short.
    """
    if path.stat().st_size > LARGEST:
        raise FileFormatError("it is too large to be a matrix transform")
    arrays = _arrays(path.read_bytes())
    if len(arrays) % 2 or any(name != "fixed" for name, _ in arrays[1::2]):
        raise FileFormatError(f"it holds the arrays {[name[:40] for name, _ in arrays]}; an ITK transform is expected")
    return [Record(name, values, fixed) for (name, values), (_, fixed) in zip(arrays[::2], arrays[1::2], strict=True)]


def _arrays(raw: bytes) -> list[tuple[str, np.ndarray]]:
    arrays = []
    at = 0
    while at < len(raw):
        order = _order_at(raw, at)
        if order is None:
            raise FileFormatError("it is not an ITK transform in a MATLAB level 4 file, or it is cut short")
        kind, rows, _, _, length = struct.unpack_from(order + "5i", raw, at)
        name = raw[at + 20 : at + 20 + length].split(b"\0")[0].decode("latin-1")
        dtype = np.dtype(order + ("f4" if kind // 10 % 10 else "f8"))
        start = at + 20 + length
        at = start + rows * dtype.itemsize
        if at > len(raw):
            raise FileFormatError("the file is cut short")
        arrays.append((name, np.frombuffer(raw, dtype, rows, start).astype(np.float64)))
    return arrays


def write_matlab(records: list[Record], path: Path) -> None:
    """Write one matrix.

    Raises:
        InputError: there is anything but one matrix: ITK reads no composites from such files.
    """
    if len(records) != 1 or records[0].name != "AffineTransform":
        raise InputError(f"cannot write {path}: a .mat file holds one matrix and no field; write .h5")
    with atomic(path) as one:
        one.write_bytes(_array(records[0].kind, records[0].parameters) + _array("fixed", records[0].fixed))


def _array(name: str, values: np.ndarray) -> bytes:
    label = name.encode("ascii") + b"\0"
    return struct.pack("<5i", 0, len(values), 1, 0, len(label)) + label + values.astype("<f8").tobytes()

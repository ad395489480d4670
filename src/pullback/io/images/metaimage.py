"""MetaImage: .mha, and .mhd beside .raw or .zraw; read and written as ITK does.

Format: the MetaIO documentation of Kitware. TransformMatrix lists the direction of the first axis first, so its rows
are ITK's direction columns. World coordinates are LPS.
"""

from functools import partial
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic, full_suffix
from pullback.io.geometry import Grid, grid_of, require_right_angles
from pullback.io.image_file import ImageFile
from pullback.io.images.header_text import LineReader, beside, integers, numbers
from pullback.io.limits import DEFLATE_RATIO, checked_bytes
from pullback.io.streams import deflated, read_rest
from pullback.space import Space

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {np.dtype(kind): name for name, kind in TYPES.items() if name not in ("MET_LONG", "MET_ULONG")}
_ORIGIN = ("Offset", "Position", "Origin")
_DIRECTION = ("TransformMatrix", "Rotation", "Orientation")


def open_metaimage(path: Path) -> ImageFile:
    """See `ImageFile`."""
    fields, start = _header(path)
    name = fields["ElementDataFile"]
    local = name.upper() == "LOCAL"
    if name.split()[0].upper() == "LIST" or "%" in name:
        raise FileFormatError(
            "its numbers are spread over several files, one for each slice; write it as one .mha first"
        )
    data = path if local else beside(path, name)
    size = integers(_need(fields, "DimSize"), "DimSize")
    d = _dimension(fields, size)
    channels = integers(fields.get("ElementNumberOfChannels", "1"), "ElementNumberOfChannels")[0]
    dtype = _dtype(fields)
    frames = size[3] if d == 4 else 1
    packed = _flag(fields, "CompressedData")
    shape = (frames, *size[2::-1], channels) if d > 2 else (*size[::-1], channels)
    offset = _offset(fields, start if local else 0, data, shape, dtype, packed)
    holds = max(data.stat().st_size - offset, 0) * (DEFLATE_RATIO if packed else 1)
    checked_bytes(shape, dtype, holds)
    return ImageFile(
        format="MetaImage",
        space=_space(fields, size[:3], d),
        dtype=dtype,
        load=partial(_load, data, offset, "deflate" if packed else "raw", dtype, shape, d),
        channels=channels,
        frames=frames,
        vector_signs="LPS",
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        lines = LineReader(stream)
        while "ElementDataFile" not in fields:
            line = lines.next()
            if line is None:
                raise FileFormatError("it is not a MetaImage: its header names no ElementDataFile")
            key, equals, value = line.partition("=")
            if line.strip() and (not equals or not key.strip().isprintable()):
                raise FileFormatError(f"it is not a MetaImage: its header has the line '{line[:60]}'")
            fields[key.strip()] = value.strip()
        if not fields["ElementDataFile"]:
            raise FileFormatError("its header leaves ElementDataFile empty")
        return fields, stream.tell()


def _dimension(fields: dict[str, str], size: tuple[int, ...]) -> int:
    d = integers(_need(fields, "NDims"), "NDims")[0]
    if d not in (2, 3, 4) or len(size) != d:
        raise FileFormatError(f"its header declares {d} dimensions and the sizes {list(size)}; 2, 3 or 4 can be read")
    return d


def _dtype(fields: dict[str, str]) -> np.dtype:
    name = _need(fields, "ElementType").removesuffix("_ARRAY")
    if name not in TYPES:
        raise FileFormatError(f"its element type {name[:40]} is not one that images are registered in")
    if not _flag(fields, "BinaryData", default=True):
        raise FileFormatError("its numbers are written as text; write it as binary first")
    big = _flag(fields, "BinaryDataByteOrderMSB") or _flag(fields, "ElementByteOrderMSB")
    return np.dtype((">" if big else "<") + TYPES[name])


def _offset(
    fields: dict[str, str], start: int, data: Path, shape: tuple[int, ...], dtype: np.dtype, packed: bool
) -> int:
    """Where the numbers begin; HeaderSize = -1 means that they are the last bytes of the file."""
    skip = integers(fields.get("HeaderSize", "0"), "HeaderSize")[0]
    if skip == -1 and not packed:
        size = int(np.prod([float(n) for n in shape])) * dtype.itemsize
        return max(data.stat().st_size - size, 0)
    if skip < 0 or skip > data.stat().st_size:
        raise FileFormatError(f"its header says HeaderSize = {skip}")
    return start + skip


def _space(fields: dict[str, str], size: tuple[int, ...], d: int) -> Space:
    """The first three axes; a fourth is time, and must not be mixed with them."""
    k = len(size)
    spacing = _vector(fields, ("ElementSpacing", "ElementSize"), np.ones(d))
    origin = _vector(fields, _ORIGIN, np.zeros(d))
    direction = _vector(fields, _DIRECTION, np.eye(d).ravel()).reshape(d, d).T
    if np.any(spacing[:k] == 0):
        raise FileFormatError("its header gives a voxel size of 0; repair ElementSpacing")
    return Grid(size, spacing[:k], origin[:k], direction[:k, :k]).space()


def _vector(fields: dict[str, str], names: tuple[str, ...], default: np.ndarray) -> np.ndarray:
    for name in names:
        if name in fields:
            values = numbers(fields[name], name)
            if len(values) != len(default):
                raise FileFormatError(f"its header gives {len(values)} numbers for {name}; {len(default)} are needed")
            return values
    return default


def _load(
    data: Path, offset: int, packing: str, dtype: np.dtype, shape: tuple[int, ...], d: int, frame: int
) -> np.ndarray:
    with data.open("rb") as file:
        file.seek(offset)
        array = read_rest(file, packing, dtype, shape)
    return np.moveaxis(array[frame] if d > 2 else array, -1, 0)


def _need(fields: dict[str, str], key: str) -> str:
    if not fields.get(key):
        raise FileFormatError(f"it is not a MetaImage: its header has no {key}")
    return fields[key]


def _flag(fields: dict[str, str], key: str, default: bool = False) -> bool:
    value = fields.get(key, "").lower()
    return value[0] in "t1y" if value else default


def write_metaimage(array: np.ndarray, space: Space, path: Path) -> None:
    """Write (channels, *shape) numbers as .mha, or as .mhd beside .zraw; compressed.

    Raises:
        InputError: the grid is sheared.
    """
    grid = grid_of(space)
    require_right_angles(grid, "MetaImage")
    packed = deflated(np.moveaxis(array, 0, -1))
    if full_suffix(path) == ".mha":
        with atomic(path) as one, one.open("wb") as file:
            file.write(_text(array, grid, len(packed), "LOCAL"))
            file.write(packed)
        return
    data = path.with_suffix(".zraw")
    with atomic(data) as one, atomic(path) as two:
        one.write_bytes(packed)
        two.write_bytes(_text(array, grid, len(packed), data.name))


def _text(array: np.ndarray, grid: Grid, size: int, data: str) -> bytes:
    d = len(grid.size)
    lines = {
        "ObjectType": "Image",
        "NDims": d,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": size,
        "TransformMatrix": _join(grid.direction.T.ravel()),
        "Offset": _join(grid.origin),
        "CenterOfRotation": _join(np.zeros(d)),
        "ElementSpacing": _join(grid.spacing),
        "DimSize": " ".join(str(n) for n in grid.size),
        "ElementNumberOfChannels": len(array),
        "ElementType": NAMES[array.dtype],
        "ElementDataFile": data,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items()).encode("utf-8")


def _join(values: np.ndarray) -> str:
    return " ".join(f"{float(v) + 0.0:.17g}" for v in values)

"""NRRD: .nrrd, and .nhdr beside its data; read and written as ITK and 3D Slicer do.

Format: "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html. Sizes are listed from the fastest axis
on; `space` says whether directions are RAS, LPS or LAS (without it: LPS, as ITK reads it).
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.atomic import atomic, full_suffix
from pullback.io.geometry import grid_of, require_right_angles, signs, space_of
from pullback.io.image_file import ImageFile
from pullback.io.images.header_text import LineReader, beside, integers
from pullback.io.limits import DEFLATE_RATIO, checked_bytes
from pullback.io.streams import deflated, read_rest
from pullback.space import Space

_NAMES = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
TYPES = {name: kind for kind, names in _NAMES.items() for name in names.split(", ")}
WRITTEN = {np.dtype(kind): names.split(", ")[-1] for kind, names in _NAMES.items()}
PACKINGS = {"raw": "raw", "gzip": "deflate", "gz": "deflate"}
TO_RAS = {
    "right-anterior-superior": (1.0, 1.0), "ras": (1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0), "lps": (-1.0, -1.0),
    "left-anterior-superior": (-1.0, 1.0), "las": (-1.0, 1.0),
}  # fmt: skip
_VECTOR = re.compile(r"\(([^()]*)\)|none", re.IGNORECASE)
_LISTS = {"list", "vector", "point", "time", "rgb-color", "rgba-color", "covariant-vector", "normal", "scalar", "stub",
          "2-vector", "3-vector", "4-vector", "3-color", "4-color", "complex"}  # fmt: skip


def open_nrrd(path: Path) -> ImageFile:
    """See `ImageFile`."""
    fields, start = _header(path)
    size = integers(_need(fields, "sizes"), "sizes")
    dimension = integers(_need(fields, "dimension"), "dimension")
    if dimension != (len(size),):
        raise FileFormatError(f"its header declares {dimension} dimensions and the sizes {list(size)}")
    inner, spatial, outer = _axes(fields, size)
    dtype = _dtype(fields)
    packing = PACKINGS.get(_need(fields, "encoding").lower())
    if packing is None:
        raise FileFormatError(f"its encoding '{fields['encoding'][:20]}' is not read; write it as raw or gzip first")
    data, offset = path, start
    if name := fields.get("data file", fields.get("datafile")):
        if name.split()[0].upper() == "LIST" or "%" in name:
            raise FileFormatError("its numbers are spread over several files; write it as one .nrrd first")
        data, offset = beside(path, name), 0
    channels, frames = (size[0] if inner else 1), (size[-1] if outer else 1)
    shape = (frames, *[size[a] for a in reversed(spatial)], channels)
    offset = _offset(fields, offset, data, shape, dtype, packing)
    holds = max(data.stat().st_size - offset, 0) * (1 if packing == "raw" else DEFLATE_RATIO)
    checked_bytes(shape, dtype, holds)
    space, placed = _space(fields, size, spatial)
    return ImageFile(
        format="NRRD",
        space=space,
        dtype=dtype,
        load=partial(_load, data, offset, packing, dtype, shape, space),
        channels=channels,
        frames=frames,
        placed=placed,
        vector_signs="RAS" if TO_RAS.get(fields.get("space", "").lower()) == (1.0, 1.0) else "LPS",
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        lines = LineReader(stream)
        if not re.fullmatch(r"NRRD000[1-5]", lines.next() or ""):
            raise FileFormatError("it is not a NRRD file: its first line is not NRRD0001 to NRRD0005")
        while line := lines.next():
            if line.startswith("#"):
                continue
            key, colon, value = line.partition(":")
            if not colon:
                raise FileFormatError(f"its header has the line '{line[:60]}'")
            if not value.startswith("="):  # "key:=value" is somebody's remark
                fields[key.strip().lower()] = value.strip()
        if line is None and not fields.keys() & {"data file", "datafile"}:
            raise FileFormatError("its header has no end")
        return fields, stream.tell()


def _axes(fields: dict[str, str], size: tuple[int, ...]) -> tuple[bool, list[int], bool]:
    """(the first axis is channels, the axes of space, the last axis is time)."""
    n = len(size)
    kinds = [k.strip('"').lower() for k in fields.get("kinds", "").split()]
    if kinds and len(kinds) != n:
        raise FileFormatError(f"its header gives {len(kinds)} kinds for {n} axes")
    directions = _directions(fields, n)
    apart = [k in _LISTS for k in kinds] if kinds else [False] * n
    if directions is not None:
        apart = [v is None for v in directions]
    spatial = [axis for axis in range(n) if not apart[axis]]
    if len(spatial) == 4 and spatial == [0, 1, 2, 3]:
        spatial = [0, 1, 2]
    d = len(spatial)
    if d not in (2, 3) or spatial != list(range(spatial[0], spatial[0] + d)) or spatial[0] > 1 or n - d > 2:
        raise FileFormatError(f"its {n} axes ({fields.get('kinds', 'no kinds')}) are not an image of 2 or 3 axes, with "
                              "channels first and frames last at most")  # fmt: skip
    if n > spatial[-1] + 2:
        raise FileFormatError("it has more than one axis after those of space; split it first")
    return spatial[0] == 1, spatial, n > spatial[-1] + 1


def _directions(fields: dict[str, str], n: int) -> list[np.ndarray | None] | None:
    if "space directions" not in fields:
        return None
    found = list(_VECTOR.finditer(fields["space directions"]))
    if len(found) != n:
        raise FileFormatError(f"its header gives {len(found)} space directions for {n} axes")
    return [None if v.group(1) is None else _vector(v.group(1), "space directions") for v in found]


def _space(fields: dict[str, str], size: tuple[int, ...], spatial: list[int]) -> tuple[Space, bool]:
    d = len(spatial)
    extent = [size[a] for a in spatial]
    directions = _directions(fields, len(size))
    if directions is None:
        words = fields.get("spacings", "").split()
        steps = [_step(words[a]) if len(words) == len(size) else 1.0 for a in spatial]
        return space_of(extent, signs(d)[:, None] * np.diag([*steps, 1.0])), False
    columns = [v for a in spatial if (v := directions[a]) is not None]
    if d == 2 and all(len(v) == 3 for v in columns):  # one slice somewhere in the patient
        normal = np.cross(columns[0], columns[1])
        columns, extent, d = [*columns, normal / max(float(np.linalg.norm(normal)), 1e-30)], [*extent, 1], 3
    origin = _vector(fields.get("space origin", "").strip("() ") or ",".join("0" * d), "space origin")
    if any(len(v) < d for v in (*columns, origin)):
        raise FileFormatError(f"its space directions and origin do not have {d} numbers each")
    columns, origin = [v[:d] for v in columns], origin[:d]
    flip = signs(d)
    named = fields.get("space", "").lower()
    if named in TO_RAS and d == 3:
        flip = np.array([*TO_RAS[named], 1.0, 1.0])
    matrix = np.eye(d + 1)
    matrix[:d, :d] = np.stack(columns, axis=1)
    matrix[:d, d] = origin
    return space_of(extent, flip[:, None] * matrix), True


def _step(word: str) -> float:
    step = abs(float(word))
    return step if np.isfinite(step) and step > 0 else 1.0


def _vector(text: str, what: str) -> np.ndarray:
    values = np.array([float(word) for word in text.split(",")])
    if not np.isfinite(values).all():
        raise FileFormatError(f"its header gives {what} as '({text[:60]})'; the numbers must be finite")
    return values


def _dtype(fields: dict[str, str]) -> np.dtype:
    kind = TYPES.get(" ".join(_need(fields, "type").lower().split()))
    if kind is None:
        raise FileFormatError(f"its type '{fields['type'][:20]}' is not one that images are registered in")
    order = fields.get("endian", "little").lower()
    if order not in ("little", "big"):
        raise FileFormatError(f"its header gives endian as '{order[:20]}'; little or big is needed")
    return np.dtype((">" if order == "big" else "<") + kind)


def _offset(
    fields: dict[str, str], start: int, data: Path, shape: tuple[int, ...], dtype: np.dtype, packing: str
) -> int:
    """Where the numbers begin, after lines or bytes to be skipped; byte skip -1: they are the last of the file."""
    lines = integers(fields.get("line skip", fields.get("lineskip", "0")), "line skip")[0]
    skip = integers(fields.get("byte skip", fields.get("byteskip", "0")), "byte skip")[0]
    length = data.stat().st_size
    if skip == -1 and packing == "raw":
        return max(length - int(np.prod([float(n) for n in shape])) * dtype.itemsize, 0)
    if skip < 0 or (skip > 0 and packing != "raw") or not 0 <= lines <= 1 << 16:
        raise FileFormatError(f"its header skips {lines} lines and {skip} bytes before the numbers")
    with data.open("rb") as stream:
        stream.seek(start)
        reader = LineReader(stream)
        for _ in range(lines):
            reader.next()
        return stream.tell() + skip


def _load(
    data: Path, offset: int, packing: str, dtype: np.dtype, shape: tuple[int, ...], space: Space, frame: int
) -> np.ndarray:
    with data.open("rb") as file:
        file.seek(offset)
        array = read_rest(file, packing, dtype, shape)
    volume: np.ndarray = np.moveaxis(array[frame], -1, 0)
    return volume.reshape(-1, *space.shape)


def _need(fields: dict[str, str], key: str) -> str:
    if not fields.get(key):
        raise FileFormatError(f"its header has no '{key}'")
    return fields[key]


def write_nrrd(array: np.ndarray, space: Space, path: Path) -> None:
    """Write (channels, *shape) numbers as .nrrd, or as .nhdr beside .raw.gz; compressed.

    Raises:
        InputError: the grid is sheared.
    """
    require_right_angles(grid_of(space), "NRRD as ITK reads it")
    packed = deflated(np.moveaxis(array, 0, -1), wrapper="gzip")
    if full_suffix(path) == ".nrrd":
        with atomic(path) as one, one.open("wb") as file:
            file.write(_text(array, space, None) + b"\n")
            file.write(packed)
        return
    data = path.with_suffix(".raw.gz")
    with atomic(data) as one, atomic(path) as two:
        one.write_bytes(packed)
        two.write_bytes(_text(array, space, data.name))


def _text(array: np.ndarray, space: Space, data: str | None) -> bytes:
    grid, d, many = grid_of(space), space.dimension, len(array) > 1
    steps = [_parentheses(v) for v in (grid.direction * grid.spacing).T]
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {WRITTEN[array.dtype]}",
        f"dimension: {d + many}",
        "space: left-posterior-superior" if d == 3 else "space dimension: 2",
        "sizes: " + " ".join(str(n) for n in ([len(array)] if many else []) + list(grid.size)),
        "space directions: " + " ".join((["none"] if many else []) + steps),
        "kinds: " + " ".join((["vector"] if many else []) + ["domain"] * d),
        "endian: little",
        "encoding: gzip",
        f"space origin: {_parentheses(grid.origin)}",
    ]
    return "".join(line + "\n" for line in (*lines, *([f"data file: {data}"] if data else []))).encode("utf-8")


def _parentheses(values: np.ndarray) -> str:
    return "(" + ",".join(f"{float(v) + 0.0:.17g}" for v in values) + ")"

"""The points of meshes: VTK's legacy files (.vtk) and Stanford polygons (.ply). Read, not written.

A mesh is in LPS mm unless its header says SPACE=RAS, as 3D Slicer writes it and reads what says nothing.
VTK User's Guide, "VTK file formats" (legacy); Turk, The PLY polygon file format, 1994.
"""

import re

import numpy as np

from pullback.errors import FileFormatError
from pullback.io.geometry import signs

_VTK_TYPES = {"float": ">f4", "double": ">f8"}
_PLY_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_PLY_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


def parse_vtk(data: bytes) -> np.ndarray:
    """(N, 3) RAS mm: the points of a legacy file, of polygons or any other grid that lists them."""
    lines = data.split(b"\n", 3)
    if len(lines) < 4 or not lines[0].startswith(b"# vtk DataFile"):
        raise FileFormatError("it is no legacy VTK file: its first line should be '# vtk DataFile Version ...'; XML "
                              "files (.vtp) are not read, save it as legacy .vtk or as .ply")  # fmt: skip
    found = re.search(rb"^POINTS[ \t]+(\d+)[ \t]+(\w+)[ \t]*\r?\n", data, re.MULTILINE)
    if found is None:
        raise FileFormatError("it has no line 'POINTS number type'; a mesh or a list of points is needed")
    count, kind, start = int(found[1]), found[2].decode("ascii", "replace").lower(), found.end()
    encoding = lines[2].strip().upper()
    if encoding == b"ASCII":
        world = _numbers(data[start:], 3 * count)
    elif encoding == b"BINARY" and kind in _VTK_TYPES:
        world = _packed(data, start, count, np.dtype((_VTK_TYPES[kind], 3)))
    else:
        raise FileFormatError(f"its points are {encoding.decode('ascii', 'replace')[:20]} {kind[:20]}; ASCII, or "
                              "BINARY with float or double, is read")  # fmt: skip
    return _placed(world.reshape(-1, 3), lines[1])


def parse_ply(data: bytes) -> np.ndarray:
    """(N, 3) RAS mm: the vertices of a PLY file."""
    end = re.search(rb"^end_header[ \t]*\r?\n", data, re.MULTILINE)
    if not data.startswith(b"ply") or end is None:
        raise FileFormatError("it is no PLY file: it should begin with 'ply' and have a line 'end_header'")
    header = [line.split() for line in data[: end.start()].decode("ascii", "replace").splitlines() if line.strip()]
    encoding = next((words[1] for words in header if words[0] == "format" and len(words) > 1), "nothing")
    count, names, kinds = _vertices(header)
    if encoding == "ascii":
        values = _numbers(data[end.end() :], count * len(names)).reshape(count, len(names))
        world = np.stack([values[:, names.index(axis)] for axis in "xyz"], axis=1)
    elif encoding in _PLY_ORDERS:
        row = np.dtype([(name, _PLY_ORDERS[encoding] + kind) for name, kind in zip(names, kinds, strict=True)])
        rows = _packed(data, end.end(), count, row)
        world = np.stack([rows[axis].astype(np.float64) for axis in "xyz"], axis=1)
    else:
        raise FileFormatError(
            f"its format is {encoding[:30]}; ascii, binary_little_endian or binary_big_endian is read"
        )
    return _placed(world, data[: end.start()])


def _vertices(header: list[list[str]]) -> tuple[int, list[str], list[str]]:
    """How many vertices there are, and the names and types of their properties."""
    elements = [k for k, words in enumerate(header) if words[0] == "element"]
    first = header[elements[0]] if elements else ["element", "nothing", "0"]
    if first[1] != "vertex":
        raise FileFormatError(f"its first element is {first[1][:20]}; vertices must come first")
    last = elements[1] if len(elements) > 1 else len(header)
    properties = [words for words in header[elements[0] : last] if words[0] == "property"]
    names = [words[-1] for words in properties]
    if any(len(words) != 3 or words[1] not in _PLY_TYPES for words in properties) or not {"x", "y", "z"} <= set(names):
        raise FileFormatError(f"its vertices have {', '.join(names)[:60] or 'no properties'}; single numbers are read, "
                              "x, y and z among them")  # fmt: skip
    return int(first[2]), names, [_PLY_TYPES[words[1]] for words in properties]


def _numbers(text: bytes, count: int) -> np.ndarray:
    """The first so many numbers of a text."""
    words = text.split(maxsplit=count)[:count]
    if len(words) < count:
        raise FileFormatError(f"it ends after {len(words)} of the {count} numbers that it announces")
    return np.array(words, dtype=np.float64)


def _packed(data: bytes, start: int, count: int, row: np.dtype) -> np.ndarray:
    """Rows of numbers as they lie in the file."""
    if len(data) - start < count * row.itemsize:
        raise FileFormatError(f"it ends before the {count} points that it announces")
    return np.frombuffer(data, row, count, start)


def _placed(world: np.ndarray, header: bytes) -> np.ndarray:
    system = re.search(rb"SPACE=(LPS|RAS)", header)
    ras = system is not None and system[1] == b"RAS"
    return np.asarray(world.astype(np.float64) * (np.ones(3) if ras else signs(3)[:3]))

"""Points of meshes: legacy VTK and PLY, in text and in either byte order, LPS unless they say RAS."""

import numpy as np
import pytest
import torch

from pullback import io
from pullback.errors import FileFormatError, InputError
from pullback.image import Points

LPS = np.array([[1.5, -2.25, 3.0], [0.125, 4.0, -0.5], [7.0, 8.0, 9.0]])
RAS = LPS * [-1, -1, 1]
FACES = b"POLYGONS 1 4\n3 0 1 2\n"


def vtk(encoding="ASCII", kind="float", title="made by hand", count=3):
    head = f"# vtk DataFile Version 3.0\n{title}\n{encoding}\nDATASET POLYDATA\nPOINTS {count} {kind}\n".encode()
    if encoding == "ASCII":
        return head + " ".join(map(str, LPS.ravel())).encode() + b"\n" + FACES
    return head + LPS.astype(">f4" if kind == "float" else ">f8").tobytes() + b"\n" + FACES


def ply(encoding="ascii", comment="made by hand", element="vertex", extra=True):
    more = "property uchar red\n" if extra else ""
    about = f"ply\nformat {encoding} 1.0\ncomment {comment}\nelement {element} 3\n"
    properties = f"property float x\nproperty double y\n{more}property float z\n"
    head = f"{about}{properties}element face 1\nproperty list uchar int vertex_indices\nend_header\n".encode()
    if encoding == "ascii":
        rows = [f"{x} {y} {'200 ' * extra}{z}\n" for x, y, z in LPS.tolist()]
        return head + "".join(rows).encode() + b"3 0 1 2\n"
    order = "<" if "little" in encoding else ">"
    fields = [("x", order + "f4"), ("y", order + "f8"), *([("red", "u1")] if extra else []), ("z", order + "f4")]
    rows = np.zeros(3, np.dtype(fields))
    for k, axis in enumerate("xyz"):
        rows[axis] = LPS[:, k]
    return head + rows.tobytes() + bytes([3, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.vtk", vtk()),
        ("m.VTK", vtk(kind="double")),
        ("m.vtk", vtk("BINARY")),
        ("m.vtk", vtk("BINARY", "double")),
        ("m.vtk", vtk().replace(b"\n", b"\r\n")),
        ("m.ply", ply()),
        ("m.ply", ply("binary_little_endian")),
        ("m.ply", ply("binary_big_endian", extra=False)),
    ],
)
def test_the_points_of_a_mesh_are_those_of_its_file(path, name, data):
    path(name).write_bytes(data)
    np.testing.assert_array_equal(io.read_points(path(name)).numpy(), RAS)


@pytest.mark.parametrize(("system", "world"), [("LPS", RAS), ("RAS", LPS)])
@pytest.mark.parametrize("make", [vtk, ply])
def test_a_mesh_may_say_how_it_lies(path, make, system, world):
    said = f"3D Slicer output. SPACE={system}"
    path("m.mesh").write_bytes(make(title=said) if make is vtk else make(comment=said))
    whole = path("m.mesh").rename(path(f"m.{make.__name__}"))
    np.testing.assert_array_equal(io.read_points(whole).numpy(), world)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("m.vtk", b"<?xml version='1.0'?>\n<VTKFile>\n\n\n", r"no legacy VTK file.*\.vtp"),
        ("m.vtk", vtk().replace(b"POINTS", b"THINGS"), "no line 'POINTS"),
        ("m.vtk", vtk(count=99), "ends after 16 of the 297 numbers"),
        ("m.vtk", vtk("BINARY", count=99), "ends before the 99 points"),
        ("m.vtk", vtk("BINARY").replace(b" float", b" short"), "BINARY short; ASCII"),
        ("m.ply", b"plywood", "no PLY file"),
        ("m.ply", ply("utf-8"), "its format is utf-8"),
        ("m.ply", ply(element="face"), "its first element is face"),
        ("m.ply", ply().replace(b"double y", b"list uchar int y"), "single numbers are read"),
        ("m.ply", ply("binary_little_endian").replace(b"vertex 3", b"vertex 9"), "ends before the 9 points"),
        ("m.ply", ply().replace(b"1.5", b"nan"), "not finite"),
    ],
)
def test_what_is_refused(path, name, data, words):
    path(name).write_bytes(data)
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_points(path(name))
    assert str(caught.value).startswith(f"cannot read {path(name)}: ")
    assert "\n" not in str(caught.value)


def test_meshes_are_not_written_but_their_points_are(path):
    path("m.ply").write_bytes(ply())
    points = io.read_points(path("m.ply"))
    io.write_points(points, path("m.csv"), like=path("m.ply"))
    np.testing.assert_array_equal(io.read_points(path("m.csv")).numpy(), RAS)
    with pytest.raises(InputError, match="meshes are read, not written"):
        io.write_points(Points(torch.ones(1, 3)), path("n.vtk"))

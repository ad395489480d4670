"""Points: CSV, .fcsv and .mrk.json, in and out."""

import json

import numpy as np
import pytest
import torch

from pullback import io
from pullback.errors import FileFormatError, InputError
from pullback.image import Points

WORLD = np.array([[1.5, -2.25, 3.0], [1e-7, 4e5, -0.1], [7, 8, 9]])


def test_csv_with_other_columns_in_any_order(path):
    path("p.csv").write_text('label,Z, X ,y\n"apex, tip",3,1,2\nbase,6,4,5\n\n')
    np.testing.assert_array_equal(io.read_points(path("p.csv")).numpy(), [[1, 2, 3], [4, 5, 6]])


def test_csv_as_spreadsheets_write_it(path):
    path("p.csv").write_bytes(b"\xef\xbb\xbfx,y\r\n1,2\r\n")
    np.testing.assert_array_equal(io.read_points(path("p.csv")).numpy(), [[1, 2]])


@pytest.mark.parametrize("name", ["p.csv", "p.fcsv", "p.mrk.json", "p.json"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_round_trip_is_exact(path, name, count):
    io.write_points(Points(torch.from_numpy(WORLD[:count])), path(name))
    np.testing.assert_array_equal(io.read_points(path(name)).numpy(), WORLD[:count])


def test_2d_round_trip(path):
    io.write_points(Points(torch.from_numpy(WORLD[:, :2])), path("p.csv"))
    np.testing.assert_array_equal(io.read_points(path("p.csv")).numpy(), WORLD[:, :2])
    assert path("p.csv").read_text().startswith("x,y\n")


@pytest.mark.parametrize("name", ["p.fcsv", "p.mrk.json"])
def test_slicer_files_are_3d(path, name):
    with pytest.raises(InputError, match=r"2D; write \.csv"):
        io.write_points(Points(torch.ones(1, 2)), path(name))
    assert not path(name).exists()


def test_csv_keeps_the_other_columns(path):
    path("p.csv").write_text("name,x,y,z,weight\napex,1,2,3,0.5\nbase,4,5,6,0.25\n")
    io.write_points(Points(torch.tensor([[7.0, 8, 9], [10, 11, 12]])), path("q.csv"), like=path("p.csv"))
    assert path("q.csv").read_text() == "name,x,y,z,weight\napex,7.0,8.0,9.0,0.5\nbase,10.0,11.0,12.0,0.25\n"


def test_another_format_keeps_only_the_places(path):
    path("p.csv").write_text("name,x,y,z\napex,1,2,3\n")
    io.write_points(Points(torch.tensor([[7.0, 8, 9]])), path("q.fcsv"), like=path("p.csv"))
    np.testing.assert_array_equal(io.read_points(path("q.fcsv")).numpy(), [[7, 8, 9]])


@pytest.mark.parametrize(
    ("system", "signs"), [("LPS", (-1, -1)), ("1", (-1, -1)), ("RAS", (1, 1)), ("0", (1, 1)), (None, (1, 1))]
)
def test_fcsv_systems(path, system, signs):
    said = f"# CoordinateSystem = {system}\n" if system else ""
    path("p.fcsv").write_text(
        f"# Markups fiducial file version = 4.11\n{said}# columns = id,x,y,z,label\nvtk1,1,2,3,a\nvtk2,4,5,6,b\n"
    )
    expected = np.array([[1, 2, 3], [4, 5, 6]]) * [*signs, 1]
    np.testing.assert_array_equal(io.read_points(path("p.fcsv")).numpy(), expected)
    io.write_points(Points(torch.from_numpy(WORLD[:2])), path("q.fcsv"), like=path("p.fcsv"))
    text = path("q.fcsv").read_text()
    assert said in text
    assert "vtk1," in text
    assert text.endswith(",b\n")
    np.testing.assert_array_equal(io.read_points(path("q.fcsv")).numpy(), WORLD[:2])


def test_a_new_fcsv_says_that_it_is_lps(path):
    io.write_points(Points(torch.tensor([[1.0, 2, 3]])), path("p.fcsv"))
    assert "# CoordinateSystem = LPS\n" in path("p.fcsv").read_text()
    assert "\n1,-1.0,-2.0,3.0," in path("p.fcsv").read_text()


@pytest.mark.parametrize(("system", "signs"), [("LPS", (-1, -1)), ("RAS", (1, 1))])
def test_markups_systems(path, system, signs):
    points = [{"id": "7", "label": "apex", "position": [1, 2, 3], "locked": True}]
    document = {
        "markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": points, "display": {"color": 1}}]
        * 2
    }
    path("p.mrk.json").write_text(json.dumps(document))
    world = np.array([[1, 2, 3]] * 2) * [*signs, 1]
    np.testing.assert_array_equal(io.read_points(path("p.mrk.json")).numpy(), world)
    io.write_points(Points(torch.from_numpy(WORLD[:2])), path("q.mrk.json"), like=path("p.mrk.json"))
    written = json.loads(path("q.mrk.json").read_text())
    assert written["markups"][0]["display"] == {"color": 1}
    assert written["markups"][1]["controlPoints"][0]["label"] == "apex"
    np.testing.assert_allclose(written["markups"][1]["controlPoints"][0]["position"], WORLD[1] * [*signs, 1])
    np.testing.assert_array_equal(io.read_points(path("q.mrk.json")).numpy(), WORLD[:2])


def test_another_number_of_points_is_refused(path):
    for name in ("p.csv", "p.fcsv", "p.mrk.json"):
        io.write_points(Points(torch.from_numpy(WORLD)), path(name))
        with pytest.raises(InputError, match=r"cannot write .*there are 2 points.*3"):
            io.write_points(Points(torch.from_numpy(WORLD[:2])), path("q." + name[2:]), like=path(name))
        assert not path("q." + name[2:]).exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.csv", "", "first line must name"),
        ("p.csv", "1,2,3\n4,5,6\n", "first line must name"),
        ("p.csv", "x,z\n1,2\n", "first line must name"),
        ("p.csv", "x,y,z\n1,2,three\n", "line 2 has no number"),
        ("p.csv", "x,y,z\n1,2\n", "line 2 has no number"),
        ("p.csv", "x,y,z\n1,2,nan\n", "not finite"),
        ("p.csv", "x,y,z\n1,2,1e999\n", "not finite"),
        ("p.fcsv", "# CoordinateSystem = IJK\n1,1,1,1\n", "coordinate system is 'IJK'"),
        ("p.fcsv", "# columns = id,a,b\n1,1,1\n", "x, y and z are needed"),
        ("p.fcsv", "# CoordinateSystem = LPS\n1,1,one,1\n", "three numbers"),
        ("p.mrk.json", "{", "not JSON"),
        ("p.mrk.json", "[" * 100_000, "not JSON"),
        ("p.mrk.json", "[]", "not a Slicer markups"),
        ("p.mrk.json", '{"markups": [{}]}', "not a Slicer markups"),
        ("p.mrk.json", '{"markups": [{"controlPoints": [{}]}]}', "no position"),
        ("p.mrk.json", '{"markups": [{"controlPoints": [{"position": [1, 2]}]}]}', "no position"),
        ("p.mrk.json", '{"markups": [{"controlPoints": [{"position": [1, 2, NaN]}]}]}', "not finite"),
        ("p.txt", "1 2 3", r"use \.csv, \.fcsv or \.mrk\.json"),
    ],
)
def test_what_is_refused(path, name, text, words):
    path(name).write_text(text)
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_points(path(name))
    assert str(caught.value).startswith(f"cannot read {path(name)}: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_suffix_is_not_written(path):
    with pytest.raises(InputError, match=r"use \.csv, \.fcsv or \.mrk\.json"):
        io.write_points(Points(torch.ones(1, 3)), path("p.xyz"))

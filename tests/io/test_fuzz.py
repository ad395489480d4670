"""Damaged files of every format: an answer or one line, never a crash, a hang, or a request for all memory."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning
from pullback.image import Image, Points
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SPACE = Space.of_array((3, 4, 5), 1.5)
IMAGE = Image(torch.arange(60.0).reshape(1, 3, 4, 5), SPACE)
FLAT = Image(torch.arange(20.0).reshape(1, 4, 5), Space.of_array((4, 5)))
FIELD = Affine.translation([1, 2, 3]) @ Displacement(torch.ones(3, 3, 4, 5), SPACE)
VTK = b"# vtk DataFile Version 3.0\nSPACE=RAS\nBINARY\nDATASET POLYDATA\nPOINTS 3 float\n"
PLY = (b"ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
       b"property float z\nend_header\n")  # fmt: skip

MAKERS: dict[str, Callable[[Path], object]] = {
    **{name: lambda p: io.write_image(IMAGE, p) for name in ("a.nii", "a.nii.gz", "a.mha", "a.nrrd")},
    **{name: lambda p: io.write_image(FLAT, p) for name in ("a.npy", "a.npz", "a.png", "a.tif")},
    **{name: lambda p: io.write_transform(FIELD, p, onto=SPACE) for name in ("t.h5", "t.nii.gz")},
    **{name: lambda p: io.write_transform(Affine.translation([1, 2, 3]), p) for name in ("t.tfm", "t.mat")},
    **{name: lambda p: io.write_points(Points(torch.ones(3, 3)), p) for name in ("p.csv", "p.fcsv", "p.mrk.json")},
    "p.vtk": lambda p: p.write_bytes(VTK + np.arange(9, dtype=">f4").tobytes()),
    "p.ply": lambda p: p.write_bytes(PLY + np.arange(9, dtype="<f4").tobytes()),
}  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    for name, make in MAKERS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PullbackWarning)
            make(folder / name)
    return folder


def take(path: Path) -> object:
    reader = {"a": io.read_image, "t": io.read_transform, "p": io.read_points}[path.name[0]]
    return reader(path)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes(tmp_path, originals, name, data):
    raw = bytearray((originals / name).read_bytes())
    early = data.draw(st.booleans())  # headers come first: half of the damage is done there
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, (min(len(raw), 360) if early else len(raw)) - 1))
        raw[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 127, 128, 255, *b"-9e "])))
    answer_or_one_line(tmp_path / name, bytes(raw))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1), tail=st.binary(max_size=30))
def test_cut_short_or_with_a_tail(tmp_path, originals, name, part, tail):
    raw = (originals / name).read_bytes()
    answer_or_one_line(tmp_path / name, raw[: round(part * len(raw))] + tail)


def answer_or_one_line(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PullbackWarning)
        line = complaint(path)
    assert line is None or line.startswith(f"cannot read {path}: ")
    assert line is None or ("\n" not in line and len(line) < 600)


def complaint(path: Path) -> str | None:
    try:
        take(path)
    except FileFormatError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", MAKERS)
def test_the_originals_are_read(originals, name):
    assert take(originals / name) is not None


def test_hdf5_of_another_purpose(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["TransformGroup"] = np.zeros(3)
    with pytest.raises(FileFormatError, match="no TransformGroup"):
        take(tmp_path / "t.h5")


def test_markups_of_another_purpose(tmp_path):
    (tmp_path / "p.mrk.json").write_text(json.dumps({"markups": [{"controlPoints": [{"position": "abc"}]}]}))
    with pytest.raises(FileFormatError, match="no position"):
        take(tmp_path / "p.mrk.json")

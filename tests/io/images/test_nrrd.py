"""NRRD against SimpleITK, and what a strict reader refuses."""

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError
from pullback.image import Labels
from pullback.space import Space

HEADER = {
    "type": "short", "dimension": "3", "space": "left-posterior-superior", "sizes": "4 3 2",
    "space directions": "(1,0,0) (0,2,0) (0,0,3)", "kinds": "domain domain domain", "endian": "little",
    "encoding": "raw", "space origin": "(1,2,3)",
}  # fmt: skip
NUMBERS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
RAW = NUMBERS.tobytes()
KINDS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]


def write(path, raw=RAW, magic="NRRD0004", **changes):
    fields = {**HEADER, **{k.replace("_", " "): v for k, v in changes.items()}}
    lines = [magic, "# a remark", *[f"{k}: {v}" for k, v in fields.items() if v is not None], "key:=value: of somebody"]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + raw)
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("compress", [True, False])
def test_what_itk_writes(path, itk_image, oblique, assert_same_as_itk, kind, name, compress):
    itk = itk_image(3, oblique(3), kind)
    sitk.WriteImage(itk, path(name), compress)
    assert_same_as_itk(io.read_image(path(name)), itk)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_dimensions_and_channels(path, itk_image, oblique, assert_same_as_itk, d, channels):
    itk = itk_image(d, oblique(d), channels=channels)
    sitk.WriteImage(itk, path("a.nrrd"), True)
    assert_same_as_itk(io.read_image(path("a.nrrd")), itk)


def test_48_orientations(path, itk_image, direction, assert_same_as_itk):
    itk = itk_image(3, direction)
    sitk.WriteImage(itk, path("a.nrrd"))
    assert_same_as_itk(io.read_image(path("a.nrrd")), itk)


@pytest.mark.parametrize(
    "space",
    ["left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "LPS", "RAS", "LAS"],
)
def test_named_spaces(path, assert_same_as_itk, space):
    write(path("a.nrrd"), space=space)
    assert_same_as_itk(io.read_image(path("a.nrrd")), sitk.ReadImage(path("a.nrrd")))


def test_without_a_named_space_it_is_read_as_itk_does(path, assert_same_as_itk):
    write(path("a.nrrd"))
    path("a.nrrd").write_bytes(
        path("a.nrrd").read_bytes().replace(b"space: left-posterior-superior", b"space dimension: 3")
    )
    assert_same_as_itk(io.read_image(path("a.nrrd")), sitk.ReadImage(path("a.nrrd")))


def test_spacings_alone(path):
    write(path("a.nrrd"), space=None, space_directions=None, space_origin=None, spacings="1.5 2 NaN")
    assert io.read_image(path("a.nrrd")).space.same_as(Space.of_array((2, 3, 4), (1.0, 2.0, 1.5)))


def test_frames(path, itk_image, assert_same_as_itk):
    itk = itk_image(4)
    sitk.WriteImage(itk, path("a.nrrd"))
    assert_same_as_itk(io.read_image(path("a.nrrd"), frame=1), itk[:, :, :, 1])
    with pytest.raises(FileFormatError, match="2 frames"):
        io.read_image(path("a.nrrd"))


def test_frames_as_slicer_lists_them(path):
    """Slicer's sequences have time as the fastest axis, without a direction."""
    write(path("a.nrrd"), dimension="4", sizes="2 2 3 2", kinds="list domain domain domain",
          space_directions="none (1,0,0) (0,2,0) (0,0,3)")  # fmt: skip
    image = io.read_image(path("a.nrrd"))
    assert image.data.shape == (2, 2, 3, 2)
    np.testing.assert_array_equal(image.data[1].numpy().ravel(), np.arange(1, 24, 2))


def test_a_slice_standing_in_the_patient(path):
    write(path("a.nrrd"), dimension="2", sizes="4 6", kinds="domain domain", space_directions="(1.5,0,0) (0,0,2)")
    image = io.read_image(path("a.nrrd"))
    assert image.space.shape == (1, 6, 4)
    np.testing.assert_allclose(image.space.matrix[:3, 2], [-1.5, 0, 0])
    np.testing.assert_allclose(image.space.matrix[:3, 1], [0, 0, 2])
    np.testing.assert_allclose(image.space.matrix[:3, 3], [-1, -2, 3])


def test_big_endian(path):
    write(path("a.nrrd"), NUMBERS.astype(">i2").tobytes(), endian="big")
    np.testing.assert_array_equal(io.read_image(path("a.nrrd")).data[0].numpy(), NUMBERS)


@pytest.mark.parametrize("packing", ["raw", "gzip", "gz"])
def test_data_in_another_file(path, packing):
    path("a.bin").write_bytes(gzip.compress(NUMBERS.tobytes()) if packing != "raw" else NUMBERS.tobytes())
    write(path("a.nhdr"), b"", encoding=packing, data_file="a.bin")
    np.testing.assert_array_equal(io.read_image(path("a.nhdr")).data[0].numpy(), NUMBERS)


@pytest.mark.parametrize(
    ("skip", "before"),
    [({"byte_skip": "5"}, b"12345"), ({"byte_skip": "-1"}, b"junk"), ({"line_skip": "2"}, b"one\ntwo\n")],
)
def test_skipping(path, skip, before):
    path("a.bin").write_bytes(before + NUMBERS.tobytes())
    write(path("a.nhdr"), b"", data_file="a.bin", **skip)
    np.testing.assert_array_equal(io.read_image(path("a.nhdr")).data[0].numpy(), NUMBERS)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_itk_reads_what_is_written(path, itk_image, oblique, assert_same_as_itk, name, d, channels):
    sitk.WriteImage(itk_image(d, oblique(d), channels=channels), path("theirs.mha"))
    image = io.read_image(path("theirs.mha"))
    io.write_image(image, path(name))
    assert_same_as_itk(image, sitk.ReadImage(path(name)))
    assert torch.equal(io.read_image(path(name)).data, image.data)
    assert io.read_image(path(name)).space.same_as(image.space)


def test_labels(path):
    labels = Labels(torch.tensor([[0, 3], [2, 300]]), Space.of_array((2, 2)))
    io.write_image(labels, path("a.nrrd"))
    assert torch.equal(io.read_labels(path("a.nrrd")).data.long(), labels.data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"magic": "NRRD0009"}, "NRRD0001 to NRRD0005"),
        ({"sizes": "2000 2000 2000"}, "cut short"),
        ({"sizes": "4 3 0"}, "at least one"),
        ({"sizes": "4 -3 2"}, "at least one"),
        ({"sizes": "4 3"}, "dimensions"),
        ({"sizes": "9999999999999999999 1 1"}, "cut short"),
        ({"sizes": None}, "sizes"),
        ({"type": "block"}, "type"),
        ({"type": None}, "type"),
        ({"encoding": "bzip2"}, "encoding"),
        ({"encoding": None}, "encoding"),
        ({"endian": "middle"}, "endian"),
        ({"dimension": "3.5"}, "whole numbers"),
        ({"space_directions": "(1,0,0) (0,2,0)"}, "2 space directions for 3"),
        ({"space_directions": "(1,0,0) (0,2,0) (0,0,nan)"}, "finite"),
        ({"space_directions": "(1,0,0) (0,2,0) (0,0,x)"}, "damaged"),
        ({"space_directions": "(1,0,0) (2,0,0) (0,0,3)"}, "singular"),
        ({"space_origin": "(1,2)"}, "3 numbers"),
        ({"kinds": "domain domain"}, "kinds"),
        ({"byte_skip": "-7"}, "skips"),
        ({"line_skip": "-7"}, "skips"),
        ({"data_file": "../a.raw"}, "outside its own folder"),
        ({"data_file": "/etc/passwd"}, "outside its own folder"),
        ({"data_file": "LIST"}, "several files"),
        ({"data_file": "a%d.raw 1 2 1"}, "several files"),
        ({"data_file": "gone.raw"}, "missing"),
    ],
)  # fmt: skip
def test_hostile_headers(path, changes, words):
    refused(write(path("a.nrrd"), **changes), words)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\0" * 1000, "not a NRRD"),
        (b"NRRD0004\n" + b"a: b\n" * 300_000, "no end"),
        (b"NRRD0004\nno colon here\n\n", "line 'no colon here'"),
        (b"NRRD0004\ntype: short\n", "no end"),
    ],
)
def test_garbage(path, raw, words):
    path("a.nrrd").write_bytes(raw)
    refused(path("a.nrrd"), words)


@pytest.mark.parametrize(
    "raw",
    [gzip.compress(NUMBERS.tobytes())[:-15], gzip.compress(NUMBERS.tobytes()[:20]), b"not packed"],
    ids=["cut off", "too short", "not packed"],  # the bytes hold the time of day
)
def test_packed_data_that_is_damaged(path, raw):
    refused(write(path("a.nrrd"), raw, encoding="gzip"), "cut short|damaged")


def refused(path, words):
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_image(path)
    assert str(caught.value).startswith(f"cannot read {path}: ")
    assert "\n" not in str(caught.value)

"""MetaImage against SimpleITK, and what a strict reader refuses."""

import zlib

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError, InputError
from pullback.image import Image, Labels
from pullback.space import Space

HEADER = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "BinaryDataByteOrderMSB": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "1 2 3", "ElementSpacing": "1 2 3", "DimSize": "4 3 2",
    "ElementType": "MET_SHORT", "ElementDataFile": "LOCAL",
}  # fmt: skip
NUMBERS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
RAW = NUMBERS.tobytes()


def write(path, raw=RAW, **changes):
    """A MetaImage of HEADER with some fields changed, or left out (None); ElementDataFile last, as the format wants."""
    fields = {**HEADER, **changes}
    fields["ElementDataFile"] = fields.pop("ElementDataFile")
    text = "".join(f"{k} = {v}\n" for k, v in fields.items() if v is not None)
    path.write_bytes(text.encode() + (raw if fields["ElementDataFile"] == "LOCAL" else b""))
    return path


KINDS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.float32, np.float64]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compress", [True, False])
def test_what_itk_writes(path, itk_image, oblique, assert_same_as_itk, kind, name, compress):
    itk = itk_image(3, oblique(3), kind)
    sitk.WriteImage(itk, path(name), compress)
    assert_same_as_itk(io.read_image(path(name)), itk)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_dimensions_and_channels(path, itk_image, oblique, assert_same_as_itk, d, channels):
    itk = itk_image(d, oblique(d), channels=channels)
    sitk.WriteImage(itk, path("a.mha"), True)
    assert_same_as_itk(io.read_image(path("a.mha")), itk)


def test_48_orientations(path, itk_image, direction, assert_same_as_itk):
    itk = itk_image(3, direction)
    sitk.WriteImage(itk, path("a.mha"))
    assert_same_as_itk(io.read_image(path("a.mha")), itk)


def test_frames(path, itk_image, assert_same_as_itk):
    itk = itk_image(4)
    sitk.WriteImage(itk, path("a.mha"))
    assert_same_as_itk(io.read_image(path("a.mha"), frame=1), itk[:, :, :, 1])
    with pytest.raises(FileFormatError, match="2 frames"):
        io.read_image(path("a.mha"))


def test_big_endian(path):
    write(path("a.mha"), NUMBERS.astype(">i2").tobytes(), BinaryDataByteOrderMSB="True")
    np.testing.assert_array_equal(io.read_image(path("a.mha")).data[0].numpy(), NUMBERS)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path("a.mha"))), NUMBERS)


@pytest.mark.parametrize(("skip", "before"), [("-1", b"a header of its own"), ("7", b"1234567"), (None, b"")])
def test_data_in_another_file(path, skip, before):
    path("a.raw").write_bytes(before + NUMBERS.tobytes())
    write(path("a.mhd"), ElementDataFile="a.raw", HeaderSize=skip)
    np.testing.assert_array_equal(io.read_image(path("a.mhd")).data[0].numpy(), NUMBERS)


def test_data_below_the_header(path):
    path("deep").mkdir()
    path("deep/a.raw").write_bytes(NUMBERS.tobytes())
    np.testing.assert_array_equal(io.read_image(write(path("a.mhd"), ElementDataFile="deep/a.raw")).data[0], NUMBERS)


def test_fields_of_somebody_else_are_ignored(path):
    write(path("a.mha"), **{"0008|0020": "2019-07-02", "ITK_InputFilterName": "MetaImageIO"})
    np.testing.assert_array_equal(io.read_image(path("a.mha")).data[0].numpy(), NUMBERS)


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_itk_reads_what_is_written(path, itk_image, oblique, assert_same_as_itk, name, d, channels):
    sitk.WriteImage(itk_image(d, oblique(d), channels=channels), path("theirs.mha"))
    image = io.read_image(path("theirs.mha"))
    io.write_image(image, path(name))
    assert_same_as_itk(image, sitk.ReadImage(path(name)))
    assert torch.equal(io.read_image(path(name)).data, image.data)


def test_labels(path):
    labels = Labels(torch.tensor([[0, 3], [2, 300]]), Space.of_array((2, 2)))
    io.write_image(labels, path("a.mha"))
    assert sitk.ReadImage(path("a.mha")).GetPixelIDValue() == sitk.sitkInt16
    assert torch.equal(io.read_labels(path("a.mha")).data.long(), labels.data)


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"])
def test_shear_is_refused(path, name):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[0, 1] = 0.2
    with pytest.raises(InputError, match=r"sheared.*\.nii"):
        io.write_image(Image(torch.zeros(1, 2, 3, 4), Space((2, 3, 4), matrix)), path(name))
    assert not list(path("").iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DimSize": "2000 2000 2000"}, "cut short"),
        ({"DimSize": "4 3 -2"}, "at least one"),
        ({"DimSize": "4 3"}, "dimensions"),
        ({"DimSize": "four"}, "whole numbers"),
        ({"DimSize": "99999999999999999999 1 1"}, "cut short"),
        ({"NDims": "7", "DimSize": "1 1 1 1 1 1 1"}, "2, 3 or 4"),
        ({"ElementType": "MET_BANANA"}, "element type"),
        ({"ElementType": "MET_OTHER"}, "element type"),
        ({"BinaryData": "False"}, "text"),
        ({"ElementSpacing": "0 1 1"}, "voxel size of 0"),
        ({"ElementSpacing": "nan 1 1"}, "finite"),
        ({"ElementSpacing": "1 1"}, "3 are needed"),
        ({"Offset": "1e999 0 0"}, "finite"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "singular"),
        ({"ElementNumberOfChannels": "0"}, "at least one"),
        ({"ElementNumberOfChannels": "99999"}, "cut short"),
        ({"HeaderSize": "-5"}, "HeaderSize"),
        ({"HeaderSize": "99999"}, "HeaderSize"),
        ({"ElementDataFile": "../a.raw"}, "outside its own folder"),
        ({"ElementDataFile": "/etc/passwd"}, "outside its own folder"),
        ({"ElementDataFile": "C:\\a.raw"}, "outside its own folder"),
        ({"ElementDataFile": "..\\a.raw"}, "outside its own folder"),
        ({"ElementDataFile": "missing.raw"}, "missing"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "a%03d.raw 1 9 1"}, "several files"),
        ({"ElementDataFile": ""}, "empty"),
        ({"ElementType": None}, "ElementType"),
        ({"NDims": None}, "NDims"),
    ],
)  # fmt: skip
def test_hostile_headers(path, changes, words):
    write(path("a.mha"), **changes)
    refused(path("a.mha"), words)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\0" * 1000, "not a MetaImage"),
        (b"NDims = 3\n" * 200_000, "no end"),
        (b"A" * 2_000_000, "no end"),
        (b"\x89PNG\r\n\x1a\n", "not a MetaImage"),
    ],
)
def test_garbage(path, raw, words):
    path("a.mha").write_bytes(raw)
    refused(path("a.mha"), words)


def test_cut_short(path):
    write(path("a.mha"), NUMBERS.tobytes()[:-1])
    refused(path("a.mha"), "cut short")


@pytest.mark.parametrize(
    "raw", [zlib.compress(NUMBERS.tobytes())[:-12], zlib.compress(NUMBERS.tobytes()[:20]), b"not packed at all"]
)
def test_packed_data_that_is_damaged(path, raw):
    write(path("a.mha"), raw, CompressedData="True")
    refused(path("a.mha"), "cut short|damaged")


def refused(path, words):
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_image(path)
    assert str(caught.value).startswith(f"cannot read {path}: ")
    assert "\n" not in str(caught.value)

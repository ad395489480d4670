"""Image, Labels and Points: what they take, and what they refuse."""

import numpy as np
import pytest
import torch

from pullback.errors import InputError, SpaceError
from pullback.image import Image, Labels, Points
from pullback.space import Space

SPACE = Space.of_array((4, 5), 1.5)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "u1", "i1", "u2", "<i2", ">i2", "u4", ">u4", "i4", "u8", "i8", "f2", "f4", ">f4", "f8", ">f8", "g"],
)
def test_arrays_of_every_real_type_become_single_precision(dtype):
    array = (np.arange(20).reshape(4, 5) % 2 if dtype == "bool" else np.arange(20).reshape(4, 5)).astype(dtype)
    image = Image.of(array)
    assert image.data.dtype == torch.float32
    assert image.data.shape == (1, 4, 5)
    np.testing.assert_array_equal(image.numpy(), array.astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.int64, torch.float32),
        (torch.uint8, torch.float32),
        (torch.bool, torch.float32),
    ],
)
def test_tensors_keep_only_double_precision(dtype, kept):
    tensor = torch.arange(20).reshape(4, 5).to(dtype)
    image = Image.of(tensor)
    assert image.data.dtype == kept
    torch.testing.assert_close(image.data[0], tensor.to(kept))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(20.0, dtype=np.float32).reshape(5, 4).T,
        np.arange(20.0, dtype=np.float32).reshape(4, 5)[::-1, ::-1],
        np.frombuffer(np.arange(20.0, dtype=np.float32).tobytes(), dtype=np.float32).reshape(4, 5),  # read-only
        np.ma.masked_array(np.arange(20.0).reshape(4, 5)),
    ],
    ids=["fortran", "negative strides", "read-only", "masked"],
)
def test_arrays_of_every_layout_are_taken(array):
    np.testing.assert_array_equal(Image.of(array).numpy(), np.asarray(array, dtype=np.float32))


def test_its_place_is_a_spacing_or_a_space():
    array = np.zeros((4, 5))
    assert Image.of(array, 1.5).space.same_as(SPACE)
    assert Image.of(array, space=SPACE.flip(0)).space.same_as(SPACE.flip(0))
    assert Labels.of(array.astype(int), [1.5, 1.5]).space.same_as(SPACE)
    assert Labels.of(array, space=SPACE.flip(0)).space.same_as(SPACE.flip(0))


def test_what_images_say_of_themselves():
    image = Image(torch.zeros(3, 4, 5), SPACE)
    assert (image.dimension, image.channels) == (2, 3)
    assert image.numpy().shape == (3, 4, 5)
    assert Image.of(np.zeros((4, 5))).numpy().shape == (4, 5)
    assert repr(image) == "Image(3 channels, Space(4 x 5 voxels of 1.5 x 1.5 mm))"
    assert repr(Image.of(np.zeros((4, 5)))).startswith("Image(1 channel, ")
    moved = image.to("meta")
    assert moved.data.device.type == "meta"
    assert moved.space is SPACE
    assert image.data.device.type == "cpu"


def test_what_labels_say_of_themselves():
    labels = Labels.of(np.array([[0, 7, 7], [2, 0, -1]]))
    assert labels.values == (-1, 2, 7)
    assert labels.dimension == 2
    assert repr(labels).startswith("Labels(3 labels, Space(2 x 3 ")
    assert labels.numpy().tolist() == [[0, 7, 7], [2, 0, -1]]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.uint8, torch.int16),
        (np.int8, torch.int16),
        (bool, torch.int16),
        (np.int16, torch.int16),
        (np.uint16, torch.int32),
        (np.uint32, torch.int64),
        (np.int64, torch.int64),
        (np.float32, torch.int32),
        (np.float64, torch.int32),
    ],
)
def test_labels_of_every_type_become_signed_whole_numbers(given, kept):
    labels = Labels.of(np.array([[0, 1], [1, 0]]).astype(given))
    assert labels.data.dtype == kept
    assert labels.values == (1,)


def test_large_labels_survive():
    assert Labels.of(np.array([[0, 2221], [3_000_000_000, 1]], dtype=np.float64)).values == (1, 2221, 3_000_000_000)
    assert Labels.of(np.array([[0, 65535]], dtype=np.uint16)).values == (65535,)


def test_points_are_a_list_of_places():
    points = Points(torch.rand(7, 3))
    assert points.dimension == 3
    assert points.numpy().shape == (7, 3)
    assert Points(torch.zeros(0, 2)).dimension == 2


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Image(torch.zeros(4, 5), SPACE), SpaceError, r"data of shape \(4, 5\) does not fit Space\(4 x 5 "),
        (lambda: Image(torch.zeros(1, 5, 4), SPACE), SpaceError, r"it must be \(channels, \*space.shape\)"),
        (lambda: Image(torch.zeros(1, 4, 5).int(), SPACE), InputError, "floating-point data; got torch.int32"),
        (lambda: Image.of(np.zeros(5)), InputError, r"2 or 3 axes; got the shape \(5,\)"),
        (lambda: Image.of(np.zeros((2, 3, 4, 5))), InputError, "for channels build Image"),
        (
            lambda: Image.of(np.zeros((4, 5), complex)),
            InputError,
            "real numbers are needed; got an array of type complex",
        ),
        (lambda: Image.of(torch.zeros(4, 5, dtype=torch.complex64)), InputError, "got a complex tensor"),
        (lambda: Image.of(np.array([["a", "b"]])), InputError, "real numbers are needed"),
        (lambda: Image.of(np.array([[None, 1]])), InputError, "real numbers are needed; got an array of type object"),
        (lambda: Image.of(np.zeros((4, 5)), 0.0), SpaceError, "positive and finite"),
        (lambda: Image.of(np.zeros((4, 0))), SpaceError, "at least one voxel"),
        (lambda: Image.of(np.zeros((4, 5)), space=SPACE.resized((5, 5))), SpaceError, "does not fit"),
        (lambda: Labels(torch.zeros(5, 4).int(), SPACE), SpaceError, r"labels of shape \(5, 4\) do not fit"),
        (lambda: Labels(torch.zeros(4, 5), SPACE), InputError, "whole numbers; got torch.float32; use Labels.of"),
        (lambda: Labels(torch.zeros(4, 5).bool(), SPACE), InputError, "whole numbers; got torch.bool"),
        (lambda: Labels.of(np.full((4, 5), 0.5)), InputError, "fractions, NaN or infinity: is it an image?"),
        (lambda: Labels.of(np.full((4, 5), np.nan)), InputError, "NaN"),
        (lambda: Labels.of(np.full((4, 5), np.inf)), InputError, "infinity"),
        (lambda: Labels.of(np.zeros((4, 0))), SpaceError, "at least one voxel"),
        (lambda: Points(torch.zeros(5)), InputError, r"\(N, 2\) or \(N, 3\); got the shape \(5,\)"),
        (lambda: Points(torch.zeros(5, 4)), InputError, r"got the shape \(5, 4\)"),
        (lambda: Points(torch.zeros(5, 3).int()), InputError, "floating-point coordinates in mm; got torch.int32"),
    ],
)
def test_what_cannot_be_used_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_nothing_changes_after_it_is_made():
    image = Image.of(np.zeros((4, 5)))
    with pytest.raises(AttributeError):
        image.data = torch.ones(1, 4, 5)

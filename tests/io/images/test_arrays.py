"""NumPy files: bare arrays, keys, and nothing that unpickles."""

import zipfile

import numpy as np
import pytest
import torch

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning
from pullback.image import Image, Labels
from pullback.space import Space

NUMBERS = np.random.default_rng(2).integers(0, 50, (3, 4, 5))


@pytest.mark.parametrize("kind", ["?", "u1", "i2", "u2", ">i4", "i8", "f2", "f4", ">f8"])
@pytest.mark.parametrize("order", "CF")
def test_types_and_orders(path, kind, order):
    array = np.asarray(NUMBERS.astype(kind), order=order)
    np.save(path("a.npy"), array)
    image = io.read_image(path("a.npy"))
    np.testing.assert_array_equal(image.data[0].numpy(), array.astype(np.float32))
    assert image.space.same_as(Space.of_array((3, 4, 5)))


def test_a_picture(path):
    np.save(path("a.npy"), NUMBERS[0])
    assert io.read_image(path("a.npy")).data.shape == (1, 4, 5)


def test_a_stack_may_be_read_one_picture_at_a_time(path):
    np.save(path("a.npy"), NUMBERS)
    assert io.read_image(path("a.npy")).dimension == 3
    np.testing.assert_array_equal(io.read_image(path("a.npy"), frame=2).data[0].numpy(), NUMBERS[2])
    with pytest.raises(FileFormatError, match="frame 3 does not exist"):
        io.read_image(path("a.npy"), frame=3)


def test_keys(path):
    np.savez(path("a.npz"), C0=NUMBERS[0], T2=NUMBERS[1])
    np.testing.assert_array_equal(io.read_image(f"{path('a.npz')}:T2").data[0].numpy(), NUMBERS[1])
    assert io.read_labels(f"{path('a.npz')}:C0").dimension == 2
    with pytest.raises(FileFormatError, match=r"several arrays.*a\.npz:C0.*C0, T2"):
        io.read_image(path("a.npz"))
    with pytest.raises(FileFormatError, match="no array 'LGE'; choose from: C0, T2"):
        io.read_image(f"{path('a.npz')}:LGE")


def test_one_array_needs_no_key(path):
    np.savez_compressed(path("a.npz"), whatever=NUMBERS)
    np.testing.assert_array_equal(io.read_image(path("a.npz")).data[0].numpy(), NUMBERS)


def test_objects_are_never_unpickled(path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    array = np.array([[Trap(), Trap()]], dtype=object)
    np.save(path("a.npy"), array, allow_pickle=True)
    np.savez(path("a.npz"), x=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(FileFormatError, match="Python objects"):
            io.read_image(path(name))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 2), complex), "complex128"),
        (np.array([["a", "b"]]), "not real numbers"),
        (np.ones(5), "2 or 3 axes"),
        (np.ones((2, 2, 2, 2)), "2 or 3 axes"),
        (np.ones((0, 4)), "at least one"),
        (np.zeros((2, 2), [("x", "f4")]), "not real numbers"),
    ],
)
def test_arrays_that_are_no_images(path, array, words):
    np.save(path("a.npy"), array)
    with pytest.raises(FileFormatError, match=words):
        io.read_image(path("a.npy"))


def test_a_header_that_declares_too_much(path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (20000, 20000, 20000), }"
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path("a.npy").write_bytes(raw)
    with zipfile.ZipFile(path("a.npz"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", raw)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(FileFormatError, match=r"32 TB.*cut short"):
            io.read_image(path(name))


@pytest.mark.parametrize(
    "raw", [b"\x93NUMPY\x01\x00\x05\x00{'a':", b"\x93NUMPY\x09\x00", b"PK\x03\x04 not a zip", b"text"]
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_garbage(path, raw, name):
    path(name).write_bytes(raw)
    with pytest.raises(FileFormatError, match="cannot read"):
        io.read_image(path(name))


def test_cut_short(path):
    np.save(path("a.npy"), NUMBERS)
    path("a.npy").write_bytes(path("a.npy").read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="cut short"):
        io.read_image(path("a.npy"))


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.npz:C0"])
@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 3, 4, 5)])
def test_round_trip(path, name, shape):
    image = Image(torch.randn(shape), Space.of_array(shape[1:]))
    io.write_image(image, str(path(name)))
    assert torch.equal(io.read_image(str(path(name))).data, image.data)


def test_labels_round_trip(path):
    labels = Labels.of(NUMBERS)
    io.write_image(labels, path("a.npy"))
    assert np.load(path("a.npy")).dtype == np.uint8
    np.testing.assert_array_equal(io.read_labels(path("a.npy")).numpy(), NUMBERS)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.tif", "a.png"])
def test_losing_the_place_is_told(path, name):
    with pytest.warns(PullbackWarning, match="do not keep where an image lies"):
        io.write_image(Image.of(np.ones((4, 5)), spacing=2.0), path(name))

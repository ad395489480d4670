"""PNG, JPEG and TIFF."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image as Pillow

from pullback import io
from pullback.errors import FileFormatError, InputError
from pullback.image import Image, Labels
from pullback.space import Space

GREY = np.random.default_rng(4).integers(0, 256, (7, 9)).astype(np.uint8)
COLOUR = np.random.default_rng(5).integers(0, 256, (7, 9, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_png(path, kind):
    array = GREY.astype(kind) * (200 if kind == np.uint16 else 1)
    Pillow.fromarray(array).save(path("a.png"))
    image = io.read_image(path("a.png"))
    np.testing.assert_array_equal(image.data[0].numpy(), array)
    assert image.space.same_as(Space.of_array((7, 9)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_becomes_channels(path, mode):
    picture = Pillow.fromarray(COLOUR)
    picture = picture.convert(mode, palette=Pillow.Palette.ADAPTIVE) if mode == "P" else picture.convert(mode)
    picture.save(path("a.png"))
    expected = np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    np.testing.assert_array_equal(io.read_image(path("a.png")).data.numpy(), expected)


@pytest.mark.parametrize("mode", ["LA", "1"])
def test_grey_with_transparency_or_black_and_white(path, mode):
    picture = Pillow.fromarray(GREY).convert(mode)
    picture.save(path("a.png"))
    np.testing.assert_array_equal(io.read_image(path("a.png")).data[0].numpy(), np.asarray(picture.convert("L")))


def test_a_palette_of_greys_is_grey(path):
    picture = Pillow.fromarray(GREY)
    picture = picture.convert("P")
    picture.putpalette([v for v in range(256) for _ in range(3)])
    picture.save(path("a.png"))
    np.testing.assert_array_equal(io.read_image(path("a.png")).data.numpy(), GREY[None])


def test_jpeg(path):
    smooth = np.add.outer(np.arange(32), np.arange(40)).astype(np.uint8)
    Pillow.fromarray(smooth).save(path("a.jpg"), quality=95)
    image = io.read_image(path("a.jpg"))
    assert image.data.shape == (1, 32, 40)
    assert float((image.data[0] - torch.from_numpy(smooth).float()).abs().max()) < 6


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4", "f8", ">u2"])
def test_tiff_types(path, kind):
    array = GREY.astype(kind)
    tifffile.imwrite(path("a.tif"), array, byteorder=">" if kind[0] == ">" else "<", photometric="minisblack")
    np.testing.assert_array_equal(io.read_image(path("a.tif")).data[0].numpy(), GREY)


@pytest.mark.parametrize("packing", [None, "zlib", "packbits"])
def test_tiff_packings(path, packing):
    if packing == "packbits":
        Pillow.fromarray(GREY).save(path("a.tif"), compression=packing)
    else:
        tifffile.imwrite(path("a.tif"), GREY, compression=packing, photometric="minisblack")
    np.testing.assert_array_equal(io.read_image(path("a.tif")).data[0].numpy(), GREY)


@pytest.mark.parametrize("pages", [1, 3])
def test_lzw_tiff(path, pages):
    """Written by many microscopes; tifffile alone cannot unpack it."""
    pictures = [Pillow.fromarray(GREY + k) for k in range(pages)]
    pictures[0].save(path("a.tif"), compression="tiff_lzw", save_all=True, append_images=pictures[1:])
    expected = np.stack([GREY + np.uint8(k) for k in range(pages)]) if pages > 1 else GREY
    np.testing.assert_array_equal(io.read_image(path("a.tif")).data[0].numpy(), expected)


def test_a_tiff_stack_is_a_volume_or_its_pages(path):
    stack = np.stack([GREY, GREY[::-1], 255 - GREY])
    tifffile.imwrite(path("a.tif"), stack, photometric="minisblack")
    np.testing.assert_array_equal(io.read_image(path("a.tif")).data[0].numpy(), stack)
    np.testing.assert_array_equal(io.read_image(path("a.tif"), frame=1).data[0].numpy(), stack[1])


def test_tiff_colour(path):
    tifffile.imwrite(path("a.tif"), COLOUR, photometric="rgb")
    np.testing.assert_array_equal(io.read_image(path("a.tif")).data.numpy(), np.moveaxis(COLOUR, -1, 0))


def test_tiff_frames(path):
    array = np.random.default_rng(1).integers(0, 99, (2, 3, 7, 9)).astype(np.uint8)
    tifffile.imwrite(path("a.tif"), array, photometric="minisblack", metadata={"axes": "TZYX"})
    np.testing.assert_array_equal(io.read_image(path("a.tif"), frame=1).data[0].numpy(), array[1])


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 7, 9), (2, 7, 9), (1, 4, 7, 9), (3, 4, 7, 9)])
def test_tiff_round_trip(path, shape):
    image = Image(torch.randn(shape), Space.of_array(shape[1:]))
    io.write_image(image, path("a.tif"))
    assert torch.equal(io.read_image(path("a.tif")).data, image.data)


@pytest.mark.parametrize(("top", "mode"), [(255, "L"), (65535, "I;16")])
def test_png_round_trip(path, top, mode):
    array = np.linspace(0, top, 63).round().reshape(7, 9).astype(np.float32)
    io.write_image(Image.of(array), path("a.png"))
    with Pillow.open(path("a.png")) as picture:
        assert picture.mode == mode
    np.testing.assert_array_equal(io.read_image(path("a.png")).data[0].numpy(), array)


def test_png_of_colour_and_of_labels(path):
    image = Image(torch.from_numpy(np.moveaxis(COLOUR, -1, 0).astype(np.float32)), Space.of_array((7, 9)))
    io.write_image(image, path("a.png"))
    assert torch.equal(io.read_image(path("a.png")).data, image.data)
    labels = Labels.of(GREY % 4)
    io.write_image(labels, path("b.png"))
    assert torch.equal(io.read_labels(path("b.png")).data, labels.data)


@pytest.mark.parametrize(
    "array", [np.full((4, 5), -3.0), np.full((4, 5), 1e6), np.full((4, 5), np.nan), np.zeros((3, 4, 5))]
)
def test_what_a_png_cannot_hold(path, array):
    with pytest.raises(InputError, match=r"write \.nii\.gz or \.tif instead"):
        io.write_image(Image.of(array), path("a.png"))
    assert not path("a.png").exists()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize(
    "raw", [b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"\xff\xd8\xff\xe0", b"text" * 99, b"GIF89a" + b"\0" * 50]
)
def test_garbage(path, name, raw):
    path(name).write_bytes(raw)
    with pytest.raises(FileFormatError, match="damaged or not one"):
        io.read_image(path(name))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_cut_short(path, name):
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)).save(path(name))
    path(name).write_bytes(path(name).read_bytes()[:-500])
    with pytest.raises(FileFormatError, match="cannot read"):
        io.read_image(path(name))


def test_a_png_that_declares_a_huge_picture(path):
    Pillow.fromarray(GREY).save(path("a.png"))
    raw = bytearray(path("a.png").read_bytes())
    raw[16:24] = (2**30).to_bytes(4, "big") * 2
    path("a.png").write_bytes(raw)
    with pytest.raises(FileFormatError, match="cannot read"):
        io.read_image(path("a.png"))


def test_jpeg_is_not_written(path):
    with pytest.raises(InputError, match="no image format that pullback writes"):
        io.write_image(Image.of(GREY), path("a.jpg"))

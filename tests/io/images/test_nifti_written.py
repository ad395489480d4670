"""NIfTI files as we write them, read by nibabel and SimpleITK, and by ourselves."""

import time

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given
from hypothesis import strategies as st

from pullback import io
from pullback.image import Image, Labels
from pullback.space import Space


def np_matrix(linear, origin):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, origin
    return torch.from_numpy(matrix)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.hdr", "a.img"])
@pytest.mark.parametrize("d", [2, 3])
def test_itk_and_nibabel_read_what_is_written(path, itk_image, assert_same_as_itk, oblique, name, d):
    itk = itk_image(d, oblique(d))
    sitk.WriteImage(itk, path("theirs.nii.gz"))
    image = io.read_image(path("theirs.nii.gz"))
    io.write_image(image, path(name))
    read = sitk.ReadImage(path(name))
    assert_same_as_itk(image, read)
    header = nib.load(path("a.hdr") if path("a.hdr").exists() else path(name)).header
    assert header["dim"][0] == d
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header.get_data_dtype() == np.float32


def test_48_orientations_written(path, direction, assert_same_as_itk):
    space = Space((4, 5, 6), np_matrix(direction * [1.5, 2.0, 3.0], [7, -5, 11]))
    image = Image(torch.randn(1, 4, 5, 6), space)
    io.write_image(image, path("a.nii"))
    assert_same_as_itk(image, sitk.ReadImage(path("a.nii")))
    back = nib.load(path("a.nii"))
    np.testing.assert_allclose(back.get_qform(), back.get_sform(), atol=1e-5)
    assert io.read_image(path("a.nii")).space.same_as(space)


@given(seed=st.integers(0, 10_000), shear=st.booleans(), d=st.sampled_from([2, 3]))
def test_round_trip_of_any_affine(tmp_path_factory, seed, shear, d, random_affine):
    path = tmp_path_factory.mktemp("any") / "a.nii"
    rng = np.random.default_rng(seed)
    affine = random_affine(rng, shear)
    if d == 2:
        affine = np.block(
            [[np.linalg.qr(rng.normal(size=(2, 2)))[0] * rng.uniform(0.5, 4, 2), np.zeros((2, 1))], [0, 0, 1]]
        )
    shape = (4, 5, 6)[3 - d :]
    image = Image(torch.randn(1, *shape), Space(shape, torch.from_numpy(affine)))
    io.write_image(image, path)
    read = io.read_image(path)
    assert torch.equal(read.data, image.data)
    assert read.space.same_as(image.space)


def test_shear_is_written_as_an_sform_alone(path):
    affine = np_matrix([[2, 0.5, 0], [0, 2, 0], [0, 0, 2]], [0, 0, 0])
    io.write_image(Image(torch.zeros(1, 4, 5, 6), Space((4, 5, 6), affine)), path("a.nii"))
    header = nib.load(path("a.nii")).header
    assert (header["sform_code"], header["qform_code"]) == (1, 0)


@pytest.mark.parametrize("shape", [(3, 5, 6), (3, 4, 5, 6), (4, 5, 6)], ids=["2D rgb", "3D", "2D 4 channels"])
def test_channels_survive(path, shape):
    image = Image(torch.randn(shape), Space.of_array(shape[1:], 1.5))
    io.write_image(image, path("a.nii.gz"))
    read = io.read_image(path("a.nii.gz"))
    assert torch.equal(read.data, image.data)
    assert read.space.same_as(image.space)
    assert sitk.ReadImage(path("a.nii.gz")).GetNumberOfComponentsPerPixel() == shape[0]


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 255, "uint8"),
        (0, 256, "int16"),
        (-1, 3, "int16"),
        (0, 40_000, "uint16"),
        (0, 2**20, "int32"),
        (0, 2**40, "int64"),
    ],
)
def test_labels_take_the_smallest_type(path, low, high, kind):
    data = torch.tensor([[low, high], [1, 0]])
    io.write_image(Labels(data, Space.of_array((2, 2))), path("a.nii.gz"))
    assert nib.load(path("a.nii.gz")).get_data_dtype() == kind
    assert torch.equal(io.read_labels(path("a.nii.gz")).data.long(), data)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_written_as_float32(path, kind):
    image = Image(torch.arange(20.0, dtype=kind, requires_grad=True).reshape(1, 4, 5), Space.of_array((4, 5)))
    io.write_image(image, path("a.nii"))
    assert nib.load(path("a.nii")).get_data_dtype() == np.float32
    assert torch.equal(io.read_image(path("a.nii")).data, image.data.detach().float())


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.nrrd", "a.npz", "a.tif", "a.png"])
def test_the_same_image_makes_the_same_bytes(path, name, monkeypatch):
    image = Image.of(np.arange(20.0).reshape(4, 5))
    io.write_image(image, path(name))
    first = path(name).read_bytes()
    monkeypatch.setattr(time, "time", lambda: 1.9e9)
    io.write_image(image, path(name))
    assert path(name).read_bytes() == first


def test_an_axis_too_long_for_nifti1_is_written_as_nifti2(path):
    image = Image(torch.randn(1, 2, 40_000), Space.of_array((2, 40_000)))
    io.write_image(image, path("a.nii.gz"))
    assert isinstance(nib.load(path("a.nii.gz")), nib.Nifti2Image)
    assert torch.equal(io.read_image(path("a.nii.gz")).data, image.data)

"""Whatever a user holds."""

import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import InputError, PullbackWarning
from pullback.image import Image, Labels
from pullback.space import Space

NUMBERS = np.random.default_rng(5).integers(0, 100, (4, 5, 6))


def test_images_and_labels_of_ours():
    image = Image.of(NUMBERS)
    labels = Labels.of(NUMBERS)
    assert io.as_image(image) is image
    assert io.as_labels(labels) is labels
    assert torch.equal(io.as_image(labels).data[0], labels.data.float())
    assert torch.equal(io.as_labels(image).data.long(), labels.data.long())
    assert io.as_image(labels).data.dtype == torch.float32


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64, np.float64, bool, ">f4"])
@pytest.mark.parametrize("shape", [(4, 5, 6), (5, 6)])
def test_arrays_are_placed_as_itk_places_them(kind, shape):
    array = NUMBERS.reshape(-1)[: np.prod(shape)].reshape(shape).astype(kind)
    image = io.as_image(array)
    np.testing.assert_array_equal(image.data[0].numpy(), array.astype(np.float32))
    itk = sitk.GetImageFromArray(np.zeros(shape, np.float32))
    last = itk.TransformIndexToPhysicalPoint([n - 1 for n in itk.GetSize()])
    expected = np.array(last) * [-1, -1, 1][: len(shape)]
    np.testing.assert_allclose(
        image.space.to_world(torch.tensor([n - 1.0 for n in shape], dtype=torch.float64)), expected
    )


def test_tensors():
    tensor = torch.from_numpy(NUMBERS)
    assert torch.equal(io.as_image(tensor).data[0], tensor.float())
    assert torch.equal(io.as_labels(tensor).data, tensor)


def test_paths(path):
    np.save(path("a.npy"), NUMBERS)
    for name in (path("a.npy"), str(path("a.npy"))):
        np.testing.assert_array_equal(io.as_image(name).data[0].numpy(), NUMBERS)
        np.testing.assert_array_equal(io.as_labels(name).numpy(), NUMBERS)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_simpleitk(itk_image, oblique, assert_same_as_itk, d, channels):
    itk = itk_image(d, oblique(d), channels=channels)
    assert_same_as_itk(io.as_image(itk), itk, tolerance_mm=1e-9)


def test_simpleitk_labels(itk_image):
    itk = itk_image(3, kind=np.uint16)
    np.testing.assert_array_equal(io.as_labels(itk).numpy(), sitk.GetArrayFromImage(itk))


def test_simpleitk_in_time_is_refused(itk_image):
    with pytest.raises(InputError, match="4 dimensions; pass one frame"):
        io.as_image(itk_image(4))


def test_the_image_does_not_share_memory_with_simpleitk(itk_image):
    itk = itk_image(3)
    image = io.as_image(itk)
    before = image.data.clone()
    itk[0, 0, 0] = 12345.0
    assert torch.equal(image.data, before)


AFFINE = np.array([[0.0, -1.2, 0, 5], [0.9, 0, 0, -6], [0, 0, 3, 40], [0, 0, 0, 1]])


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image, nib.MGHImage])
def test_nibabel(kind):
    image = io.as_image(kind(NUMBERS.astype(np.float32), AFFINE))
    np.testing.assert_array_equal(image.data[0].numpy(), NUMBERS.T)
    np.testing.assert_allclose(image.space.matrix.numpy()[:, [2, 1, 0, 3]], AFFINE, atol=1e-5)


def test_nibabel_from_a_file_is_the_file(path):
    array = NUMBERS.astype(np.int16)
    image = nib.Nifti1Image(array, AFFINE)
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, path("a.nii.gz"))
    ours, theirs = io.read_image(path("a.nii.gz")), io.as_image(nib.load(path("a.nii.gz")))
    torch.testing.assert_close(theirs.data, ours.data)
    assert theirs.space.same_as(ours.space)


def test_nibabel_of_two_dimensions():
    image = io.as_image(nib.Nifti1Image(NUMBERS[0].astype(np.float32), np.diag([1.5, 2, 1, 1])))
    assert image.space.shape == (6, 5)


def test_nibabel_of_several_frames_is_refused():
    with pytest.raises(InputError, match="one frame"):
        io.as_image(nib.Nifti1Image(np.zeros((3, 4, 5, 2)), np.eye(4)))
    single = io.as_image(nib.Nifti1Image(np.zeros((3, 4, 5, 1)), np.eye(4)))
    assert single.space.shape == (5, 4, 3)


def contradicting():
    image = nib.Nifti1Image(NUMBERS.astype(np.int16), np.diag([-1.0, -1, 1, 1]))
    image.header["pixdim"][1:4] = [1.5, 1.5, 10]
    return image


def test_nibabel_with_a_contradicting_header_follows_the_rule_for_files():
    with pytest.warns(PullbackWarning, match="its sform says"):
        assert io.as_image(contradicting()).space.spacing == pytest.approx((10, 1.5, 1.5))


def test_nibabel_whose_affine_the_user_changed_is_believed():
    image = contradicting()
    mended = nib.Nifti1Image(NUMBERS.astype(np.int16), np.diag([-2.0, -2, 8, 1]), image.header)
    assert io.as_image(mended).space.spacing == pytest.approx((8, 2, 2))


@pytest.mark.parametrize("thing", [None, 3, [1, 2], {"a": 1}, object()])
def test_anything_else_is_refused(thing):
    for take in (io.as_image, io.as_labels):
        with pytest.raises(
            InputError, match="pass a path, a NumPy array, a torch tensor, a nibabel image or a SimpleITK"
        ):
            take(thing)


@pytest.mark.parametrize("thing", [np.zeros(5), np.zeros((2, 2, 2, 2)), np.array([["a"]]), np.zeros((2, 2), complex)])
def test_arrays_that_are_no_images(thing):
    with pytest.raises(InputError):
        io.as_image(thing)


def test_labels_with_fractions_or_channels_are_refused():
    with pytest.raises(InputError, match="whole numbers"):
        io.as_labels(np.full((3, 3), 0.5))
    with pytest.raises(InputError, match="2 channels"):
        io.as_labels(Image(torch.zeros(2, 3, 3), Space.of_array((3, 3))))


def test_io_imports_no_format_library():
    """Plain NIfTI, MetaImage, NRRD and NumPy files need none of them either."""
    code = """
import sys, tempfile, pathlib
import numpy as np
from pullback import io
from pullback.image import Image
folder = pathlib.Path(tempfile.mkdtemp())
for name in ("a.nii.gz", "a.nii", "a.mha", "a.nrrd", "a.npy"):
    io.write_image(Image.of(np.ones((4, 5), np.float32)), folder / name)
    io.as_image(folder / name)
heavy = ("nibabel", "SimpleITK", "h5py", "pydicom", "PIL", "tifffile", "scipy", "pandas")
print([name for name in heavy if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"

"""Displacement fields as vector images, against ITK's reading of them."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError, InputError, PullbackWarning
from pullback.image import Image
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SIGNS = np.array([-1.0, -1.0, 1.0])


@pytest.fixture
def field(dimension, oblique_space, smooth_field) -> Displacement:
    space = oblique_space(dimension)
    return Displacement(smooth_field(space, 5.0), space)


def test_the_contract_of_the_file(path, field):
    io.write_displacement(field, field.space, path("d.nii.gz"))
    written = nib.load(path("d.nii.gz"))
    d = field.dimension
    size = field.space.shape[::-1]
    assert written.shape == ((*size, 1, 1, 2) if d == 2 else (*size, 1, 3))
    assert written.header["intent_code"] == 1007
    assert written.get_data_dtype() == np.float32
    lps = np.moveaxis(field.field.numpy(), 0, -1).transpose(*range(d - 1, -1, -1), d) * SIGNS[:d]
    np.testing.assert_allclose(written.get_fdata().reshape(*size, d), lps, atol=1e-6)
    assert b"moving point" in bytes(written.header["descrip"])


def test_itk_moves_points_alike(path, field, points_inside):
    affine = Affine.rigid(10.0 if field.dimension == 2 else [3.0, 5.0, 7.0], centre=field.space.centre)
    total = affine @ field
    io.write_displacement(total, field.space, path("d.nii.gz"))
    itk = sitk.DisplacementFieldTransform(sitk.ReadImage(path("d.nii.gz"), sitk.sitkVectorFloat64))
    signs = SIGNS[: field.dimension]
    points = field.space.grid().reshape(-1, field.dimension)[::11]
    theirs = np.array([itk.TransformPoint((p * signs).tolist()) for p in points.numpy()]) * signs
    np.testing.assert_allclose(total(points).numpy(), theirs, atol=1e-3)


@pytest.mark.parametrize("name", ["d.nii.gz", "d.nii"])
def test_round_trip(path, field, name):
    io.write_displacement(field, field.space, path(name))
    for read in (io.read_displacement(path(name)), io.read_transform(path(name))):
        assert read.space.same_as(field.space)
        assert torch.equal(read.field, field.field)


@pytest.mark.parametrize("name", ["d.nii.gz", "d.mha", "d.nrrd", "d.mhd"])
def test_what_itk_writes(path, dimension, itk_image, oblique, name):
    itk = itk_image(dimension, oblique(dimension), channels=dimension)
    sitk.WriteImage(itk, path(name))
    ours = io.read_displacement(path(name))
    theirs = sitk.DisplacementFieldTransform(sitk.Cast(itk, sitk.sitkVectorFloat64))
    signs = SIGNS[:dimension]
    for point in ours.space.grid().reshape(-1, dimension)[::3]:
        expected = np.array(theirs.TransformPoint((point.numpy() * signs).tolist())) * signs
        np.testing.assert_allclose(ours(point).numpy(), expected, atol=1e-2)


@pytest.mark.parametrize(("code", "signs"), [(1006, (1, 1, 1)), (1007, (-1, -1, 1))])
def test_intent_tells_the_frame_as_itk_understands_it(path, code, signs):
    vectors = np.random.default_rng(0).normal(size=(4, 5, 6, 1, 3)).astype(np.float32)
    image = nib.Nifti1Image(vectors, np.diag([1.5, 2, 3, 1]))
    image.header["intent_code"] = code
    nib.save(image, path("d.nii"))
    ours = io.read_displacement(path("d.nii")).field.numpy()
    np.testing.assert_allclose(ours, vectors[:, :, :, 0].T * np.array(signs).reshape(3, 1, 1, 1))
    itk = np.moveaxis(sitk.GetArrayFromImage(sitk.ReadImage(path("d.nii"))), -1, 0) * SIGNS.reshape(3, 1, 1, 1)
    np.testing.assert_allclose(ours, itk)


@pytest.mark.parametrize("mark", [3.4e38, -3.4e38, np.inf, np.nan])
def test_sentinels_are_no_displacement_and_are_told(path, mark):
    vectors = np.ones((4, 5, 6, 1, 3), np.float32)
    vectors[0, 0, 0, 0] = mark
    vectors[1, 2, 3, 0, 1] = mark  # one component is enough to make the vector meaningless
    image = nib.Nifti1Image(vectors, np.eye(4))
    image.header["intent_code"] = 1007
    nib.save(image, path("d.nii"))
    with pytest.warns(PullbackWarning, match="2 of 120 vectors are marked as undefined") as told:
        field = io.read_displacement(path("d.nii")).field
    assert len(told) == 1
    assert field[:, 0, 0, 0].tolist() == [0, 0, 0]
    assert field[:, 3, 2, 1].tolist() == [0, 0, 0]
    assert field[:, 1, 1, 1].tolist() == [-1, -1, 1]


def refused(path, words):
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_displacement(path)
    assert str(caught.value).startswith(f"cannot read {path}: ")


def test_an_image_is_no_field(path):
    io.write_image(Image.of(np.zeros((4, 5, 6))), path("a.nii"))
    refused(path("a.nii"), r"not a displacement field: it holds 1 value\(s\)")
    io.write_image(Image(torch.zeros(2, 4, 5, 6), Space.of_array((4, 5, 6))), path("b.nii"))
    refused(path("b.nii"), r"it holds 2 value\(s\)")


def test_vectors_without_an_intent_are_refused(path):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 1, 3), np.float32), np.eye(4)), path("a.nii"))
    refused(path("a.nii"), "intent 1007")


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"intent_code": 2006}, "FSL"), ({"intent_name": b"NREG_TRANS", "intent_code": 1007}, "NiftyReg")],
)
def test_fields_of_other_conventions_are_refused(path, fields, words):
    image = nib.Nifti1Image(np.zeros((4, 5, 6, 1, 3), np.float32), np.eye(4))
    for name, value in fields.items():
        image.header[name] = value
    nib.save(image, path("a.nii"))
    refused(path("a.nii"), words)


def test_writing_needs_nifti_and_one_dimension(path, field):
    with pytest.raises(InputError, match=r"\.nii\.gz or \.nii"):
        io.write_displacement(field, field.space, path("d.mha"))
    with pytest.raises(InputError, match=r"2D transform on a 3D grid|3D transform on a 2D grid"):
        io.write_displacement(Affine.identity(5 - field.dimension), field.space, path("d.nii"))
    assert not list(path("").iterdir())

"""Real transform files of ITK, elastix, SCT, greedy and others, against SimpleITK or against what they do."""

import warnings

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning
from pullback.transforms import Affine, Displacement, resample

SIGNS = np.array([-1.0, -1.0, 1.0])


def assert_same_points(ours, itk, lps, tolerance):
    d = lps.shape[1]
    theirs = np.array([itk.TransformPoint(p.tolist()) for p in lps])
    mine = ours(torch.from_numpy(lps * SIGNS[:d])).numpy() * SIGNS[:d]
    np.testing.assert_allclose(mine, theirs, atol=tolerance)
    return theirs


def correlation(a, b):
    return float(torch.corrcoef(torch.stack([a.ravel(), b.ravel()]))[0, 1])


@pytest.mark.parametrize(
    "file",
    ["torchio_fernando/fernando/t1_to_mni.tfm", "torchio_fernando/fernando/t1_to_mni_affine.h5",
     "itk_examples/IdentityTransform.tfm", "elastix/Testing/Data/Translation(1,-2)/ITK-Transform.tfm",
     "elastix/Testing/Data/Translation(1,-2)/ITK-HDF5-Transform.h5",
     "elastix/Testing/Data/Translation(1,-2)/Special characters [(0-9,;!@#$%&)]/ITK-Transform.tfm"],
)  # fmt: skip
def test_matrices(data_folder, file):
    ours, itk = io.read_transform(data_folder / file), sitk.ReadTransform(data_folder / file)
    points = np.random.default_rng(0).uniform(-100, 100, (20, ours.dimension))
    assert_same_points(ours, itk, points, 1e-9)


def test_the_elastix_translation_by_1_and_minus_2(data_folder):
    ours = io.read_transform(data_folder / "elastix/Testing/Data/Translation(1,-2)/ITK-Transform.tfm")
    assert ours(torch.zeros(2)).tolist() == [-1, 2]


def test_the_composite_of_itkelastix(data_folder):
    """Rigid, affine and B-spline, about centres of their own."""
    folder = data_folder / "itkelastix"
    ours = io.read_transform(folder / "exampleoutput/itk_composite_transform.h5")
    itk = sitk.ReadTransform(folder / "exampleoutput/itk_composite_transform.h5")
    points = np.random.default_rng(0).uniform(5, 250, (300, 2))
    moved = assert_same_points(ours, itk, points, 2e-3)
    assert np.abs(moved - points).max() > 5
    fixed, moving = (io.read_image(folder / f"data/CT_2D_head_{name}.mha") for name in ("fixed", "moving"))
    grid, image = (
        sitk.ReadImage(folder / f"data/CT_2D_head_{name}.mha", sitk.sitkFloat32) for name in ("fixed", "moving")
    )
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, grid, itk, sitk.sitkLinear, 0.0))
    mine = resample(moving, ours, fixed.space, outside=0.0).data[0].numpy()
    inner = (slice(10, -10), slice(10, -10))  # ITK's spline ends at the border of its grid, ours is continued
    assert np.abs(mine - theirs)[inner].mean() < 1e-3 * (theirs.max() - theirs.min())


@pytest.mark.parametrize(
    "file", ["mt/warp_t22mt1.nii.gz", "mt/warp_template2mt.nii.gz", "t2/warp_template2anat.nii.gz"]
)
def test_spine_warps_with_their_sentinels(data_folder, file):
    path = data_folder / "spine_sct" / file
    with pytest.warns(PullbackWarning, match="marked as undefined") as told:
        ours = io.read_transform(path)
    assert len(told) == 1
    raw = nib.load(path).get_fdata()[:, :, :, 0]
    undefined = (np.abs(raw) > 1e30).any(axis=-1)
    assert undefined.any()
    field = np.moveaxis(ours.field.numpy(), 0, -1).transpose(2, 1, 0, 3)
    assert np.abs(field[undefined]).max() == 0
    np.testing.assert_allclose(field[~undefined], raw[~undefined] * SIGNS, rtol=1e-5)


def test_a_spine_warp_moves_the_picture_as_itk_does(data_folder):
    folder = data_folder / "spine_sct"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PullbackWarning)
        ours = io.read_transform(folder / "mt/warp_t22mt1.nii.gz")
    moving = io.read_image(folder / "t2/t2.nii.gz")
    field = sitk.ReadImage(folder / "mt/warp_t22mt1.nii.gz", sitk.sitkVectorFloat64)
    grid = sitk.VectorIndexSelectionCast(field, 0)
    itk = sitk.DisplacementFieldTransform(field)
    theirs = sitk.Resample(sitk.ReadImage(folder / "t2/t2.nii.gz", sitk.sitkFloat32), grid, itk, sitk.sitkLinear, 0.0)
    mine = resample(moving, ours, ours.space, outside=0.0).data[0].numpy()
    known = np.abs(sitk.GetArrayFromImage(grid)) < 1e30
    difference = np.abs(mine - sitk.GetArrayFromImage(theirs))[known]
    assert difference.mean() < 1e-3 * float(moving.data.max())


def test_greedy_matrices_are_ras(data_folder):
    """The rigid transform that greedy found makes its own pair alike; its inverse does not."""
    folder = data_folder / "greedy"
    fixed, moving = io.read_image(folder / "t1longi_2d_bl.nii.gz"), io.read_image(folder / "t1longi_2d_fu.nii.gz")
    transform = io.read_transform(folder / "t1longi_2d_rigid.mat")
    before, after, inverse = (
        correlation(resample(moving, t, fixed.space).data, fixed.data)
        for t in (Affine.identity(2), transform, transform.inverse())
    )
    assert after > 0.7
    assert max(before, inverse) < 0.4


def test_the_known_matrix_of_a_greedy_phantom(data_folder):
    """Here the matrix is the one that made the fixed image out of the moving one: its inverse undoes it."""
    folder = data_folder / "greedy"
    fixed, moving = (io.read_image(folder / f"phantom01_{name}.nii.gz") for name in ("fixed", "moving"))
    transform = io.read_transform(folder / "phantom01_rigid.mat")
    assert correlation(resample(moving, transform.inverse(), fixed.space).data, fixed.data) > 0.999
    assert correlation(resample(moving, transform, fixed.space).data, fixed.data) < 0.5


def test_a_matlab_file_that_is_no_transform(data_folder):
    with pytest.raises(FileFormatError, match="cannot read"):
        io.read_transform(data_folder / "greedy/lmshoot/shoot_regression.mat")


def test_an_elastix_parameter_file_is_explained(data_folder):
    with pytest.raises(FileFormatError, match="elastix parameter file"):
        io.read_transform(data_folder / "itkelastix/exampleoutput/TransformParameters.0.txt")


def test_a_jacobian_image_is_no_field(data_folder):
    with pytest.raises(FileFormatError, match="not a displacement field"):
        io.read_displacement(data_folder / "itkelastix/exampleoutput/fullSpatialJacobian.nii")
    assert io.describe(data_folder / "itkelastix/exampleoutput/fullSpatialJacobian.nii")["channels"] == 4


def test_our_file_of_a_real_pair_resamples_alike_in_itk(data_folder, tmp_path):
    """Labels of a head onto the MNI brain through a matrix and a field, in both programs."""
    folder = data_folder
    fixed = io.read_image(folder / "antspy/oasis_mni.nii.gz")
    moving = io.read_image(folder / "torchio_fernando/fernando/t2.nii.gz")
    affine = io.read_transform(folder / "torchio_fernando/fernando/t1_to_mni.tfm").inverse()
    wave = 3 * torch.sin(fixed.space.grid().movedim(-1, 0).float() / 25)
    transform = affine @ io.read_displacement(_written(wave, fixed.space, tmp_path))
    io.write_transform(transform, tmp_path / "transform.h5", onto=fixed.space)
    mine = resample(moving, transform, fixed.space, outside=0.0).data[0].numpy()
    image = sitk.ReadImage(folder / "torchio_fernando/fernando/t2.nii.gz", sitk.sitkFloat32)
    grid = sitk.ReadImage(folder / "antspy/oasis_mni.nii.gz")
    itk = sitk.ReadTransform(tmp_path / "transform.h5")
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, grid, itk, sitk.sitkLinear, 0.0, sitk.sitkFloat32))
    assert (theirs != 0).mean() > 0.3
    assert np.abs(mine - theirs).mean() < 1e-4 * (theirs.max() - theirs.min())


def _written(field, space, folder):
    io.write_displacement(Displacement(field, space), space, folder / "field.nii.gz")
    return folder / "field.nii.gz"

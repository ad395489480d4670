"""Real image files, against SimpleITK and nibabel."""

import os
import warnings
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError, PullbackWarning

sitk.ProcessObject.SetGlobalWarningDisplay(False)

FOLDERS = [
    "ants_masked_2d", "antspy", "cardiac_ed_es/cmrxm22/P001-1", "cardiac_ed_es/mms/A0S9V9", "cinema_examples",
    "convexadam_prostate", "elastix", "greedy", "itk_examples", "itkelastix/data", "ixi_t1t2_2d", "mscmr_lge",
    "myops_multiseq/Case3001", "nilearn_mni", "oasis_trt_2d", "spine_sct/t1", "spine_sct/t2", "spine_sct/t2s",
    "torchio_fernando",
]  # fmt: skip
SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr")


@pytest.mark.parametrize("folder", FOLDERS)
def test_same_numbers_at_same_places_as_itk(data_folder, folder):
    files = [p for p in sorted((data_folder / folder).rglob("*")) if p.name.endswith(SUFFIXES)]
    assert files
    for file in files:
        itk = sitk.ReadImage(file)
        frame = 1 if itk.GetDimension() == 4 else None
        with warnings.catch_warnings():
            warnings.simplefilter("error", PullbackWarning)
            image = io.read_image(file, frame=frame)
        itk = itk[:, :, :, 1] if frame is not None else itk
        numbers = sitk.GetArrayFromImage(itk)
        numbers = np.moveaxis(numbers, -1, 0) if itk.GetNumberOfComponentsPerPixel() > 1 else numbers[None]
        assert image.dimension == itk.GetDimension(), file
        np.testing.assert_allclose(image.data.numpy(), numbers.astype(np.float32), rtol=1e-5, err_msg=str(file))
        voxels = list(product(*[(0.0, n - 1.0) for n in image.space.shape]))
        ours = image.space.to_world(torch.tensor(voxels, dtype=torch.float64)).numpy()
        theirs = [itk.TransformContinuousIndexToPhysicalPoint(v[::-1]) for v in voxels]
        theirs = np.array(theirs) * [-1, -1, 1][: image.dimension]
        np.testing.assert_allclose(ours, theirs, atol=0.01 * min(image.space.spacing), err_msg=str(file))


@pytest.mark.parametrize("patient", ["001", "002", "021", "022", "023"])
def test_acdc_headers_are_resolved_with_one_word(data_folder, patient):
    """The sform says 1 mm, pixdim the truth; ITK, which prefers pixdim, is the oracle for the size."""
    for file in sorted((data_folder / "cardiac_ed_es/acdc" / f"patient{patient}").glob("*.nii.gz")):
        with pytest.warns(PullbackWarning, match="its sform says voxels of 1 x 1 x 1 mm") as told:
            image = io.read_image(file)
        assert len(told) == 1
        zooms = nib.load(file).header.get_zooms()
        assert image.space.spacing == pytest.approx(tuple(float(z) for z in zooms[::-1]), rel=1e-6)
        assert image.space.spacing[0] == pytest.approx(10.0)
        assert image.space.spacing[1] > 1.3


def test_acdc_labels_lie_on_their_image(data_folder):
    folder = data_folder / "cardiac_ed_es/acdc/patient001"
    with pytest.warns(PullbackWarning):
        image = io.read_image(folder / "patient001_frame01.nii.gz")
    with pytest.warns(PullbackWarning):
        labels = io.read_labels(folder / "patient001_frame01_gt.nii.gz")
    assert labels.space.same_as(image.space)
    assert labels.values == (1, 2, 3)


def test_sheared_axes_that_itk_refuses(data_folder):
    file = data_folder / "dipy_reg/S0_10slices.nii.gz"
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(file)
    image = io.read_image(file)
    theirs = nib.load(file)
    np.testing.assert_allclose(image.space.matrix.numpy()[:, [2, 1, 0, 3]], theirs.affine, atol=1e-5)
    np.testing.assert_array_equal(image.data[0].numpy(), theirs.get_fdata()[..., 0].T)


def test_a_sheared_image_is_written_and_read_again(data_folder, tmp_path):
    image = io.read_image(data_folder / "dipy_reg/S0_10slices.nii.gz")
    io.write_image(image, tmp_path / "a.nii.gz")
    assert io.read_image(tmp_path / "a.nii.gz").space.same_as(image.space)


@pytest.mark.parametrize(
    "file",
    ["greedy/propagation/img4d.nii.gz", "spine_sct/dmri/dmri.nii.gz", "cine_rt_stack/rt_cine_4d_heart_crop.nii.gz"],
)
def test_frames(data_folder, file):
    theirs = nib.load(data_folder / file)
    frames = theirs.shape[3]
    with pytest.raises(FileFormatError, match=f"holds {frames} frames"):
        io.read_image(data_folder / file)
    for frame in (0, frames - 1):
        image = io.read_image(data_folder / file, frame=frame)
        np.testing.assert_allclose(image.data[0].numpy(), theirs.dataobj[..., frame].T, rtol=1e-6)


def test_direction_cosines_of_one_picture_in_three_formats(data_folder):
    """The same slice turned by 30 degrees as .mhd and as .nhdr, and not turned as .png."""
    folder = data_folder / "itk_examples"
    name = "BrainProtonDensitySliceBorder20"
    turned = [io.read_image(folder / f"{name}DirectionPlus30{suffix}") for suffix in (".mhd", ".nhdr")]
    straight = io.read_image(folder / f"{name}.png")
    assert turned[0].space.same_as(turned[1].space, tolerance_voxels=0.01)
    assert torch.equal(turned[0].data, turned[1].data)
    assert torch.equal(straight.data, turned[0].data)
    cosine = float((turned[0].space.linear[:, 1] * straight.space.linear[:, 1]).sum())
    assert cosine == pytest.approx(np.cos(np.radians(30)), abs=1e-5)


def test_arrays(data_folder):
    circle = io.read_image(data_folder / "dipy_reg/circle.npy")
    assert circle.space.shape == (256, 256)
    case = sorted((data_folder / "derived_seedlike").glob("*.npz"))[0]
    with pytest.raises(FileFormatError, match="C0, T2, T2_transformed"):
        io.read_image(case)
    assert io.read_image(f"{case}:T2_transformed").space.shape == (224, 224)
    assert 1 < len(io.read_labels(f"{case}:label").values) < 20


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".nrrd", ".nhdr", ".mhd", ".hdr"])
def test_a_real_volume_survives_every_format(data_folder, tmp_path, suffix):
    image = io.read_image(data_folder / "torchio_fernando/fernando/t2.nii.gz")
    io.write_image(image, tmp_path / f"a{suffix}")
    again = io.read_image(tmp_path / f"a{suffix}")
    assert torch.equal(again.data, image.data)
    assert again.space.same_as(image.space)
    itk = sitk.ReadImage(os.fspath(tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk), image.data[0].numpy())


def test_every_file_is_described(data_folder):
    files = [p for p in sorted(data_folder.rglob("*")) if p.name.endswith((*SUFFIXES, ".png", ".npy", ".tfm", ".h5"))]
    kinds: dict[str, int] = {}
    for file in files[::7]:
        facts = io.describe(file)
        kinds[facts["kind"]] = kinds.get(facts["kind"], 0) + 1
        assert facts["dimension"] in (2, 3)
    assert kinds.get("image", 0) > 50


def test_paths_may_be_text_or_path(data_folder):
    file = data_folder / "dipy_reg/aniso_vox.nii.gz"
    assert torch.equal(io.read_image(str(file)).data, io.read_image(Path(file)).data)

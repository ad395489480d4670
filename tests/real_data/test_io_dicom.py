"""Real DICOM: a real-time cine in JPEG 2000, simulated DENSE, and a multi-frame secondary capture."""

import numpy as np
import pydicom
import pytest
import torch

from pullback import io
from pullback.errors import FileFormatError


def test_a_cine_with_a_constant_trigger_time(data_folder):
    folder = data_folder / "cine_rt_stack/dicom_75"
    with pytest.raises(FileFormatError, match="holds 32 frames"):
        io.read_image(folder)
    by_number = {int(pydicom.dcmread(p, stop_before_pixels=True).InstanceNumber): p for p in folder.iterdir()}
    for frame in (0, 9, 31):
        image = io.read_image(folder, frame=frame)
        path = sorted(by_number.items())[frame][1]
        np.testing.assert_array_equal(image.data[0, 0].numpy(), pydicom.dcmread(path).pixel_array)
        assert torch.equal(io.read_image(path).data, image.data)


@pytest.mark.parametrize("series", [75, 76, 77])
def test_the_dicoms_lie_in_the_nifti_that_was_made_of_them(data_folder, series):
    """Its makers cropped 64 pixels on each side; place and intensities must agree without knowing that."""
    image = io.read_image(data_folder / f"cine_rt_stack/dicom_{series}", frame=4)
    stack = io.read_image(data_folder / "cine_rt_stack/rt_cine_4d_heart_crop.nii.gz", frame=4)
    voxel = stack.space.to_voxels(image.space.to_world(torch.tensor([0.0, 64.0, 64.0], dtype=torch.float64)))
    k = round(float(voxel[0]))
    torch.testing.assert_close(voxel, torch.tensor([float(k), 0.0, 0.0], dtype=torch.float64), rtol=0, atol=1e-3)
    found = image.data[0, 0, 64 : 64 + 144, 64 : 64 + 144]
    assert float(torch.corrcoef(torch.stack([found.ravel(), stack.data[0, k].ravel()]))[0, 1]) > 0.999


def test_simulated_dense(data_folder):
    for part in ("mag", "px", "py", "pz"):
        image = io.read_image(data_folder / "dense_sim" / part, frame=24)
        assert image.space.shape == (1, 32, 32)
        assert image.space.spacing[1:] == (2.5, 2.5)
    with pytest.raises(FileFormatError, match="no DICOM images; give one of its sub-folders, such as mag"):
        io.read_image(data_folder / "dense_sim")


def test_a_multiframe_secondary_capture(data_folder):
    folder = data_folder / "sjtu_multimapping"
    frames = np.load(folder / "subject1.npz")["slice2"]
    for frame in (0, 9):
        image = io.read_image(folder / "subject1_slice2_multiframe.dcm", frame=frame)
        np.testing.assert_array_equal(image.data[0].numpy(), frames[frame])
        assert torch.equal(io.read_image(f"{folder / 'subject1.npz'}:slice2", frame=frame).data, image.data)

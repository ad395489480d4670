"""Series in time as one NIfTI file, against nibabel and against pullback's own reader."""

import nibabel
import numpy as np
import pytest
import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.io.images.nifti_series import read_frame_seconds, write_displacements, write_frames
from pullback.io.images.read import read_image


@pytest.fixture
def frames(oblique_space):
    space = oblique_space(3, (4, 5, 6))
    return [Image(torch.rand(1, 4, 5, 6), space) for _ in range(3)]


def test_frames_are_read_back(frames, tmp_path):
    path = tmp_path / "cine.nii.gz"
    write_frames(iter(frames), path, 3, frame_seconds=0.035)
    for t, frame in enumerate(frames):
        again = read_image(path, frame=t)
        assert torch.equal(again.data, frame.data)
        assert again.space.same_as(frame.space)
    other = nibabel.load(path)
    assert other.shape == (6, 5, 4, 3)
    assert other.header.get_xyzt_units() == ("mm", "sec")
    assert read_frame_seconds(path) == pytest.approx(0.035)
    assert np.allclose(other.get_fdata()[..., 1].T, frames[1].data[0])


def test_labels_keep_the_first_frames_type(oblique_space, tmp_path):
    space, path = oblique_space(2), tmp_path / "labels.nii"
    series = [Labels(torch.full(space.shape, value), space) for value in (3, 1)]
    write_frames(series, path, 2)
    assert nibabel.load(path).get_data_dtype() == np.uint8
    assert read_frame_seconds(path) is None or read_frame_seconds(path) == 1.0
    with pytest.raises(InputError, match="do not fit"):
        write_frames([series[0], Labels(torch.full(space.shape, 1000), space)], path, 2)
    assert nibabel.load(path).shape[3] == 2  # the file that was there is still there


def test_displacements_are_written_as_itk_has_them(oblique_space, tmp_path):
    space, path = oblique_space(3, (4, 5, 6)), tmp_path / "u.nii.gz"
    fields = [torch.rand(3, 4, 5, 6) for _ in range(2)]
    write_displacements(fields, space, path, 2)
    stored = nibabel.load(path)
    assert stored.shape == (6, 5, 4, 2, 3)
    assert stored.header.get_intent()[0] == "vector"
    lps = torch.from_numpy(np.asarray(stored.dataobj)[:, :, :, 1].T.copy())
    assert torch.allclose(lps, fields[1] * torch.tensor([-1.0, -1.0, 1.0]).view(3, 1, 1, 1))


@pytest.mark.parametrize(("unit", "step", "seconds"), [(8, 0.04, 0.04), (16, 40, 0.04), (8, 0, None), (8, 72, 0.072)])
def test_the_time_between_frames(frames, tmp_path, unit, step, seconds):
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4, 3), np.float32), np.eye(4))
    image.header["xyzt_units"], image.header["pixdim"][4] = 2 | unit, step
    nibabel.save(image, path)
    assert read_frame_seconds(path) == (None if seconds is None else pytest.approx(seconds))
    assert read_frame_seconds(tmp_path / "a.mha") is None


def test_half_a_series_is_not_left_behind(frames, tmp_path):
    with pytest.raises(InputError, match="promised"):
        write_frames(frames, tmp_path / "a.nii.gz", 4)
    with pytest.raises(InputError, match="lies on"):
        write_frames([frames[0], Image.of(torch.rand(4, 5, 6))], tmp_path / "a.nii.gz", 2)
    with pytest.raises(InputError, match="one channel"):
        write_frames([Image(torch.rand(2, 4, 5, 6), frames[0].space)], tmp_path / "a.nii.gz", 1)
    with pytest.raises(InputError, match=r"\.nii"):
        write_frames(frames, tmp_path / "a.mha", 3)
    assert list(tmp_path.iterdir()) == []

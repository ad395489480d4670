"""Reading the frames of a cine."""

import numpy as np

from pullback import io
from pullback.cardiac.cine import read_frames
from pullback.image import Image


def test_a_folder_of_frames_leaves_out_what_lies_beside_them(tmp_path):
    for name, value in (("frame_2", 2), ("frame_10", 10), ("frame_2_seg", 7), ("truth_2", 8), ("frame_10_gt", 9)):
        data = np.full((6, 8), float(value), np.float32)
        data[0, 0] = 0.0
        io.write_image(Image.of(data), tmp_path / f"{name}.nii.gz")
    frames = read_frames(tmp_path)
    assert [float(image.data.max()) for image in frames.images] == [2.0, 10.0]

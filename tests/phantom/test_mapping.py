"""The T1 series: its motion is what it says, and its contrast changes as it should."""

import pytest
import torch

from pullback.errors import InputError
from pullback.phantom import heart_space, mapping_series
from pullback.transforms import resample

SPACE = heart_space(2, (64, 64), (4.0, 4.0))


def test_each_image_is_the_resting_heart_moved():
    times = (3500.0, 3500.0)
    quiet = mapping_series(times, space=SPACE, noise=0.0, shift_mm=0.0, bend_mm=0.0)
    moved = mapping_series(times, space=SPACE, noise=0.0)
    middle = (slice(None), slice(14, -14), slice(14, -14))
    for image, transform in zip(moved.images, moved.transforms, strict=True):
        off = (image.data - quiet.images[0].data)[middle].abs().mean()
        back = (resample(image, transform, SPACE, "cubic").data - quiet.images[0].data)[middle].abs().mean()
        assert float(back) < 0.5 * float(off)
    assert float((moved.images[0].data - moved.images[1].data).abs().mean()) > 0.02


def test_blood_and_wall_recover_at_their_own_pace():
    series = mapping_series((150.0, 800.0, 3500.0), space=SPACE, noise=0.0, shift_mm=0.0, bend_mm=0.0)
    level = torch.tensor([[float(i.data[0][series.labels.data == k].mean()) for k in (2, 3)] for i in series.images])
    assert level[0, 1] > level[0, 0]  # blood is still far below zero, and its magnitude large
    assert level[1, 0] < 0.3 * level[2, 0]  # the wall passes through zero
    assert level[2, 1] > level[2, 0]


def test_one_image_is_no_series():
    with pytest.raises(InputError, match="at least two inversion times"):
        mapping_series((100.0,))

import pytest
import torch

from pullback.errors import InputError
from pullback.evaluate import dice
from pullback.phantom import beating_heart, heart, heart_space
from pullback.transforms import resample, resample_labels

FINE = heart_space(2, (180, 180), (1.0, 1.0))


@pytest.fixture(scope="module", params=[("cine", 0), ("t2", 1)])
def clean(request):
    contrast, seed = request.param
    return beating_heart((0.0, 0.18, 0.36), contrast=contrast, space=FINE, seed=seed, noise=0, bias=0)


@pytest.mark.parametrize("frame", [1, 2])
def test_frames_obey_their_transforms(clean, frame):
    """image_t(phi_t(x)) == image_ED(x), up to reading image_t between its voxels."""
    warped = resample(clean.frames[frame], clean.transforms[frame], FINE, "cubic", outside=None)
    error = (warped.data - clean.frames[0].data).abs()[0]
    still = (clean.frames[frame].data - clean.frames[0].data).abs()[0]
    inside = clean.labels[0].data > 0
    assert float(error.mean()) < 0.002
    assert float(error[inside].mean()) < 0.008
    assert float(error[inside].mean()) < 0.06 * float(still[inside].mean())


def test_the_inverse_way_is_as_good(clean):
    """image_ED(phi_t^-1(y)) == image_t(y): the truth has the sign that it says."""
    back = resample(clean.frames[0], clean.transforms[2].inverse(), FINE, "cubic", outside=None)
    error = (back.data - clean.frames[2].data).abs()[0]
    assert float(error[clean.labels[2].data > 0].mean()) < 0.02
    wrong = resample(clean.frames[0], clean.transforms[2], FINE, "cubic", outside=None)
    assert float((wrong.data - clean.frames[2].data).abs().mean()) > 10 * float(error.mean())


@pytest.mark.parametrize("frame", [1, 2])
def test_labels_obey_the_truth(clean, frame):
    for transform in (clean.transforms[frame], clean.displacement(frame)):
        carried = resample_labels(clean.labels[frame], transform, FINE, smooth=True)
        assert min(dice(clean.labels[0], carried).values()) > 0.97
    assert min(dice(clean.labels[0], clean.labels[2]).values()) < 0.6  # and it was not easy


def test_three_dimensions():
    space = heart_space(3, (44, 56, 56), (2.4, 2.4, 2.4))
    cine = beating_heart((0.0, 0.36), dimension=3, space=space, noise=0, bias=0)
    warped = resample(cine.frames[1], cine.transforms[1], space, "cubic", outside=None)
    inside = cine.labels[0].data > 0
    still = (cine.frames[1].data - cine.frames[0].data).abs()[0][inside].mean()
    error = (warped.data - cine.frames[0].data).abs()[0][inside].mean()
    assert float(error) < 0.02
    assert float(error) < 0.12 * float(still)
    carried = resample_labels(cine.labels[1], cine.transforms[1], space, smooth=True)
    assert min(dice(cine.labels[0], carried).values()) > 0.95


def test_texture_moves_with_the_muscle(clean):
    """Deep in the muscle, where no border helps, intensities follow the tissue and not the place."""
    labels = clean.labels[0].data
    deep = labels == 2
    for _ in range(3):
        for axis in (0, 1):
            deep = deep & deep.roll(1, dims=axis) & deep.roll(-1, dims=axis)
    first = clean.frames[0].data[0]
    warped = resample(clean.frames[2], clean.transforms[2], FINE, "cubic").data[0]
    assert int(deep.sum()) > 100
    assert float(torch.corrcoef(torch.stack([first[deep], warped[deep]]))[0, 1]) > 0.97


def test_a_frame_is_the_heart_at_that_phase():
    space = heart_space(2, (64, 64), (4, 4))
    cine = beating_heart((0.0, 0.36), space=space, seed=2)
    single = heart(space=space, seed=2, phase=0.36)
    assert torch.equal(cine.frames[1].data, single.image.data)
    assert torch.equal(cine.labels[1].data, single.labels.data)


def test_a_series():
    space = heart_space(2, (48, 48), (5, 5))
    cine = beating_heart(10, space=space)
    assert len(cine.frames) == len(cine.labels) == len(cine.transforms) == len(cine.phases) == 10
    assert cine.phases[1] == pytest.approx(0.1)
    assert cine.end_systole == 4
    areas = [int((labels.data == 3).sum()) for labels in cine.labels]
    assert min(range(10), key=areas.__getitem__) in (3, 4)
    assert not torch.equal(cine.frames[0].data, cine.frames[9].data)  # another draw of noise
    pair = cine.pair()
    assert pair.moving is cine.frames[4]
    assert pair.fixed is cine.frames[0]
    assert pair.truth is cine.transforms[4]


def test_same_seed_same_bits():
    space = heart_space(2, (48, 48), (5, 5))
    first, again = (beating_heart(3, space=space, seed=9) for _ in range(2))
    for a, b in zip(first.frames, again.frames, strict=True):
        assert torch.equal(a.data, b.data)


def test_no_frames_are_refused():
    with pytest.raises(InputError, match="at least one frame"):
        beating_heart(0)

"""`sampled_mse` and the layout that it likes: the same numbers as reading first and comparing then."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.ops import _native
from pullback.ops.sampled_mse.abreast import SPARE, is_abreast

SIZE = {2: (9, 14), 3: (6, 9, 11)}


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def pair(d, channels):
    """Fixed, moving, and (matrix, displacement, mix, weight)."""
    size = SIZE[d]
    matrix = 0.9 * torch.eye(d, d + 1, dtype=torch.float64) + 0.05
    field, mix = 3 * random(1, d, *size, seed=3) - 1.5, torch.eye(d, dtype=torch.float64) + 0.1
    weight = (random(1, 1, *size, seed=4) - 0.3).clamp(min=0)
    return random(1, channels, *size, seed=1), random(1, channels, *size[::-1], seed=2), (matrix, field, mix, weight)


@pytest.mark.parametrize("channels", [1, 4, 16, 26])
@pytest.mark.parametrize("layout", [ops.abreast, lambda image: image])
def test_it_is_the_difference_of_what_is_read(dimension, channels, layout):
    fixed, moving, (matrix, field, mix, weight) = pair(dimension, channels)
    warped = ops.sample(moving, matrix, field, mix)
    expected = ((warped - fixed) ** 2 * weight).sum() / weight.sum() / channels
    found = ops.sampled_mse(layout(fixed), layout(moving), matrix, field, mix, weight)
    assert found.shape == (1,)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_the_gradients_are_those_of_reading_first(dimension):
    fixed, moving, (matrix, field, mix, weight) = pair(dimension, 21)
    answers = []
    for images in ((fixed, moving), (ops.abreast(fixed), ops.abreast(moving))):
        places = [t.clone().requires_grad_() for t in (matrix, field, mix)]
        loss = 3 * ops.sampled_mse(*images, *places, weight)[0]
        answers.append((loss.detach(), *torch.autograd.grad(loss, places)))
    for found, expected in zip(*answers, strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert float(answers[0][2].abs().max()) > 1e-4


@pytest.mark.skipif(_native.missing() is not None, reason=str(_native.missing()))
def test_no_warped_image_is_made_of_channels_side_by_side():
    fixed, moving, (matrix, field, mix, weight) = pair(3, 12)
    with ops.recorded() as log:
        ops.sampled_mse(ops.abreast(fixed), ops.abreast(moving), matrix, field, mix, weight)
    assert log == {"sampled_mse": "cpu"}
    with ops.recorded() as log:
        ops.sampled_mse(fixed, moving, matrix, field, mix, weight)
    assert set(log) == {"sampled_mse", "sample", "mse"}


def test_where_nothing_counts_the_loss_is_nothing():
    fixed, moving, (matrix, field, mix, weight) = pair(2, 5)
    field.requires_grad_()
    loss = ops.sampled_mse(ops.abreast(fixed), ops.abreast(moving), matrix, field, mix, 0 * weight)
    assert float(loss.detach()) == 0
    assert not torch.autograd.grad(loss.sum(), field)[0].any()


def test_abreast_changes_the_layout_and_nothing_else(dimension):
    for image in (random(1, 7, *SIZE[dimension]), random(1, 7, *SIZE[dimension]).double()):
        found = ops.abreast(image)
        assert torch.equal(found, image)
        assert found.dtype == image.dtype
        assert is_abreast(found)
        assert not is_abreast(image)
        assert found.stride()[1] == 1
        assert ops.abreast(found) is found


@pytest.mark.skipif(_native.missing() is not None, reason=str(_native.missing()))
def test_what_lies_behind_the_last_voxel_does_not_matter():
    fixed, moving, (matrix, field, mix, weight) = pair(3, 5)
    answers = []
    for spare in (0.0, torch.nan):
        images = [ops.abreast(image) for image in (fixed, moving)]
        for image in images:
            count = image.numel()
            torch.as_strided(image, (SPARE,), (1,), image.storage_offset() + count).fill_(spare)
        places = [t.clone().requires_grad_() for t in (matrix, field, mix)]
        loss = ops.sampled_mse(*images, *places, weight)
        answers.append((loss.detach(), *torch.autograd.grad(loss.sum(), places)))
    assert all(torch.equal(a, b) for a, b in zip(*answers, strict=True))


@pytest.mark.usefixtures("unchecked")
def test_what_makes_no_sense_is_refused():
    image, matrix = torch.zeros(1, 2, 5, 5), torch.eye(2, 3)
    for fixed, moving, displacement in (
        (image, image[:, :1], None),
        (image, image, torch.zeros(1, 2, 4, 5)),
    ):
        with pytest.raises(InputError, match="sampled_mse needs"):
            ops.sampled_mse(fixed, moving, matrix, displacement)
    with pytest.raises(InputError, match="weight"):
        ops.sampled_mse(image, image, matrix, weight=torch.zeros(1, 2, 5, 5))

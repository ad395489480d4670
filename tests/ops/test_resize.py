"""`resize` keeps the field of view, the mean and what the new grid can show, and nothing that it cannot."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError

SIZES = {2: (24, 36), 3: (30, 24, 36)}


def along(shape, function):
    """The sum over axes of a function of the place in the field of view, from 0 to 1 on whole voxels."""
    image = torch.zeros(shape, dtype=torch.float64)
    for axis, n in enumerate(shape):
        at = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        image = image + (axis + 1) * function(at).view([n if a == axis else 1 for a in range(len(shape))])
    return image[None, None]


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 2 / 3, 1.5, 2.0])
def test_the_field_of_view_stays(dimension, factor):
    """A ramp in the old grid is the same ramp, not a shifted one, in the new; only the border bends it."""
    shape = tuple(round(n * factor) for n in SIZES[dimension])
    resized, expected = ops.resize(along(SIZES[dimension], lambda at: at), shape), along(shape, lambda at: at)
    inner = (..., *(slice(3, n - 3) for n in shape))
    torch.testing.assert_close(resized[inner], expected[inner], atol=1e-12, rtol=0)
    torch.testing.assert_close(resized, expected, atol=0.2, rtol=0)


@pytest.mark.parametrize("factor", [0.5, 1 / 3, 2 / 3, 1.5, 2.0])
def test_the_mean_and_the_phase_of_a_smooth_image_stay(dimension, factor):
    def wave(at):
        return 5 + torch.cos(2 * torch.pi * at)

    shape = tuple(round(n * factor) for n in SIZES[dimension])
    resized, expected = ops.resize(along(SIZES[dimension], wave), shape), along(shape, wave)
    assert float(resized.mean()) == pytest.approx(float(expected.mean()), rel=2e-4)
    swing, wanted = resized - resized.mean(), expected - expected.mean()
    amplitude = float((swing * wanted).sum() / (wanted * wanted).sum())
    assert 0.85 < amplitude < 1.0 + 1e-9
    assert float((swing - amplitude * wanted).norm() / wanted.norm()) < 0.05


def test_mirroring_the_image_mirrors_the_result(dimension):
    image = torch.rand(1, 1, *SIZES[dimension], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shape = tuple(n * 2 // 5 for n in SIZES[dimension])
    axes = tuple(range(2, dimension + 2))
    torch.testing.assert_close(ops.resize(image.flip(axes), shape), ops.resize(image, shape).flip(axes))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_what_the_new_grid_cannot_show_goes_to_its_mean(dimension, factor):
    checkerboard = sum(torch.meshgrid(*(torch.arange(n) for n in SIZES[dimension]), indexing="ij")) % 2
    shape = tuple(n // factor for n in SIZES[dimension])
    resized = ops.resize(checkerboard[None, None].double(), shape)
    inner = (..., *[slice(1, -1)] * dimension)  # at the border half a square has no partner
    torch.testing.assert_close(resized[inner], torch.full_like(resized[inner], 0.5), atol=1e-3, rtol=0)
    torch.testing.assert_close(resized, torch.full_like(resized, 0.5), atol=0.1, rtol=0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_stripes_one_voxel_wide_go_to_their_mean(factor):
    stripes = (torch.arange(48) % 2).double().expand(1, 1, 3, 48)
    resized = ops.resize(stripes, (3, 48 // factor))[..., 1:-1]  # at the border half a stripe has no partner
    torch.testing.assert_close(resized, torch.full_like(resized, 0.5), atol=0.02, rtol=0)


def test_each_axis_has_its_own_factor():
    image = torch.rand(1, 1, 4, 16, 8, generator=torch.Generator().manual_seed(0))
    resized = ops.resize(image, (4, 8, 8))
    for k in range(4):
        torch.testing.assert_close(resized[:, :, k], ops.resize(image[:, :, k], (8, 8)), atol=1e-6, rtol=0)


def test_an_axis_of_one_voxel_can_stay_or_be_made():
    image = torch.rand(1, 1, 1, 8, generator=torch.Generator().manual_seed(0))
    assert ops.resize(image, (1, 4)).shape == (1, 1, 1, 4)
    torch.testing.assert_close(ops.resize(image, (3, 8)), image.expand(1, 1, 3, 8), atol=1e-6, rtol=0)
    assert float(ops.resize(image, (1, 1))) == pytest.approx(float(image.mean()), abs=0.1)


def test_the_same_shape_gives_the_same_numbers():
    image = torch.rand(1, 2, 5, 6)
    assert torch.equal(ops.resize(image, (5, 6)), image)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 6), (4, 0), (-4, 5)])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(InputError, match=r"cannot resize a 2D image to the shape \("):
        ops.resize(torch.zeros(1, 1, 4, 5), shape)

"""in_common: what lies on each other tells about each other; what does not, nothing."""

import math

import pytest
import torch

import pullback as pb
from pullback.image import Image
from pullback.phantom import heart_pair
from pullback.registration.in_common import correlation, seen_by_both, shared_information
from pullback.transforms import Affine


@pytest.fixture(scope="module")
def pair():
    return heart_pair(seed=1)


def test_background_makes_nothing_alike():
    torch.manual_seed(0)
    bright = torch.zeros(40, 40)
    bright[10:30, 10:30] = 1
    texture = torch.rand(20, 20) * 0.2
    a, b = bright.clone(), bright.clone()
    a[10:30, 10:30] += texture
    b[10:30, 10:30] -= texture
    assert correlation(seen_by_both(Image.of(a), Image.of(b), Affine.identity(2))) < -0.9
    assert correlation(seen_by_both(Image.of(a), Image.of(a), Affine.identity(2))) == pytest.approx(1)


def test_images_apart_have_nothing_in_common(pair):
    nothing = seen_by_both(pair.fixed, pair.moving, Affine.translation([1e4, 0.0]))
    assert correlation(nothing) == 0
    assert math.isnan(shared_information(nothing))


def test_what_one_tells_of_the_other():
    values = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = torch.rand(20_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert shared_information(torch.stack([values, values])) == pytest.approx(1)
    assert shared_information(torch.stack([values, (values - 0.5).abs()])) > 0.6  # no correlation, much information
    assert shared_information(torch.stack([values, other])) < 0.002  # and chance is taken off
    half = torch.where(torch.arange(20_000) % 2 == 0, values, other)
    assert 0.1 < shared_information(torch.stack([values, half])) < 0.5


def test_what_is_dark_in_one_and_bright_in_the_other_is_no_relation():
    values = torch.rand((2, 20_000), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert correlation(values) < -0.1  # a look at either's bright half makes one up
    assert shared_information(values) < 0.002


def test_few_voxels_of_noise_share_next_to_nothing():
    noise = torch.rand((40, 2, 3000), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert sum(shared_information(values) for values in noise) / 40 < 0.005  # a plain histogram says 0.015


def test_masks_say_what_counts(pair):
    half = torch.ones(1, *pair.fixed.space.shape)
    half[:, :, : half.shape[2] // 2] = 0
    mask = Image(half, pair.fixed.space)
    whole = seen_by_both(pair.fixed, pair.fixed, Affine.identity(2))
    for given in ({"fixed_mask": mask}, {"moving_mask": mask}):
        part = seen_by_both(pair.fixed, pair.fixed, Affine.identity(2), **given)
        assert 0.3 * whole.shape[1] < part.shape[1] < 0.7 * whole.shape[1]
    colour = Image(half.repeat(3, 1, 1), pair.fixed.space)  # a mask that was painted: its first channel counts
    painted = seen_by_both(pair.fixed, pair.fixed, Affine.identity(2), fixed_mask=colour, moving_mask=colour)
    assert torch.equal(painted, part)


def test_a_registration_tells_it(pair):
    found = pb.register(pair.fixed, pair.moving, "fast").quality
    assert found.shared_information > 0.3
    apart = Image(torch.rand_like(pair.moving.data), pair.moving.space)
    lost = pb.register(pair.fixed, apart, "rigid")
    assert lost.quality.shared_information < 0.05
    assert "Little in common" in [remark.title for remark in lost.remarks if remark.grave]

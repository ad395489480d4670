"""Mutual information: bounds, symmetry, and a fine look at where its minimum lies."""

import pytest
import torch

from pullback.energy import MutualInformation


def image(seed, shape=(64, 64)):
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(1, 1, 16, 16, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, size=shape, mode="bicubic", align_corners=True)
    return smooth.clamp(0, 1)


@pytest.mark.parametrize("normalised", [True, False])
def test_it_lies_between_perfect_and_unrelated(normalised):
    loss = MutualInformation(normalised=normalised).loss
    same, other = float(loss(image(0), image(0))), float(loss(image(0), image(1)))
    assert 0 <= same < other
    if normalised:
        assert other <= 1
        assert same < 0.5


def test_the_plain_form_is_the_entropy_of_fixed_that_warped_does_not_tell():
    noise = torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    constant = torch.full_like(noise, 0.4)
    entropy = float(MutualInformation(bins=16, normalised=False).loss(noise, constant))
    assert entropy == pytest.approx(torch.log(torch.tensor(15.5)).item(), abs=0.05)  # 16 bins, the outer two half full


def test_more_noise_is_worse():
    clean, noise = image(0), torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    losses = [float(MutualInformation().loss(clean, (clean + s * noise).clamp(0, 1))) for s in (0.0, 0.02, 0.1, 0.3)]
    assert losses == sorted(losses)


def test_few_voxels_that_count_do_not_look_alike_by_themselves():
    """The plain form falls as the overlap shrinks to a few voxels of one tissue; so it must not for the normalised."""
    weight = torch.zeros(1, 1, 64, 64)
    weight[..., :2, :] = 1.0
    here, little = (float(MutualInformation().loss(image(0), image(1), w)) for w in (None, weight))
    assert little > 0.2
    assert here > 0.8

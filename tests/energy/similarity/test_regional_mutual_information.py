"""RegionalMutualInformation: windows that add up, and contrasts that change across the image."""

import pytest
import torch

from pullback.energy import MutualInformation, RegionalMutualInformation
from pullback.energy.similarity.regional_mutual_information import _parts
from pullback.space import Space


@pytest.mark.parametrize(("shape", "windows"), [((17,), (3,)), ((16, 9), (4, 1)), ((7, 12, 5), (2, 3, 1))])
def test_the_windows_count_every_voxel_once(shape, windows):
    total, count = torch.zeros(1, 1, *shape), 0
    for part, rim in _parts(shape, windows):
        total[part] += rim
        count += 1
    assert torch.allclose(total, torch.ones_like(total), atol=1e-6)
    assert count == torch.tensor(windows).prod()


def test_windows_are_cubes_in_mm():
    stack = Space.of_array((10, 100, 50), (8.0, 1.0, 1.0))
    assert RegionalMutualInformation(parts=4).on(stack).windows == (3, 4, 2 - 1)
    assert RegionalMutualInformation(parts=1).on(stack).windows == (1, 1, 1)


def test_one_window_is_the_whole_image():
    images = torch.rand(2, 1, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    one = RegionalMutualInformation(parts=1, bins=12).loss(*images)
    assert torch.allclose(one, MutualInformation(bins=12).loss(*images), atol=1e-5)


def test_a_contrast_that_turns_over_across_the_image_is_seen_through():
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(1, 1, 24, 24, generator=generator)
    fixed = torch.nn.functional.interpolate(rough, size=(96, 96), mode="bicubic").clamp(0, 1)
    side = torch.linspace(-1, 1, 96).view(1, 1, 1, -1)
    warped = 0.5 + side * (fixed - 0.5)  # a negative on one side
    here, whole = (m.loss(fixed, warped) for m in (RegionalMutualInformation(parts=4), MutualInformation(bins=16)))
    off = RegionalMutualInformation(parts=4).loss(fixed, warped.roll(6, -1))
    assert float(here) < float(whole) - 0.1
    assert float(here) < float(off) - 0.1

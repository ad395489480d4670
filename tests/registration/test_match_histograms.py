"""Histograms brought together: a curve of brightness comes off, air about an image changes little, and it is told."""

from dataclasses import replace

import pytest
import torch

from pullback import evaluate
from pullback.energy import MSE, Energy
from pullback.image import Image
from pullback.optimise import LBFGS, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.phantom import heart_pair, heart_space
from pullback.registration import Optimise, Prepare, Recipe, register
from pullback.registration.match_histograms import matched

PAIR = heart_pair(2, space=heart_space(2, (96, 96), (2.4, 2.4)), seed=1, max_mm=7.0)
LEVELS = Schedule((Level(4, 40), Level(2, 40), Level(1, 20)))
STAGES = (
    Optimise(Linear("affine"), Energy(MSE()), LBFGS(), LEVELS),
    Optimise(Greedy(3.0, 1.0), Energy(MSE()), GradientDescent(), LEVELS),
)
PLAIN = Recipe("squares", "", STAGES)
MATCHED = replace(PLAIN, prepare=Prepare(match_histograms=True))


def curved(image, power):
    """The same image as another scanner's gain would show it, and in other units."""
    top = image.data.max()
    return Image(700 * (image.data / top) ** power + 30, image.space)


def wider(image, border):
    """The same image with faint noise about it."""
    space = image.space.crop([-border] * 2, [n + border for n in image.space.shape])
    data = torch.nn.functional.pad(image.data, (border,) * 4, value=float(image.data.min()))
    noise = torch.rand(data.shape, generator=torch.Generator().manual_seed(0))
    return Image(data + 0.002 * noise * data.max(), space)


def error(moving, recipe):
    result = register(PAIR.fixed, moving, recipe)
    heart = PAIR.fixed_labels.data > 0
    return float(evaluate.end_point_error(result.transform, PAIR.truth, PAIR.fixed.space, heart).nanmean()), result


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_squares_find_their_way_although_the_gain_is_another(power):
    """Nearly as well as without it: within half a voxel."""
    best, lost = error(PAIR.moving, PLAIN)[0], error(curved(PAIR.moving, power), PLAIN)[0]
    found, result = error(curved(PAIR.moving, power), MATCHED)
    assert lost > 3.0
    assert found < best + 1.2
    assert result.outcomes[0].notes[0].startswith("histogram matched to the fixed image's: brightness changed by ")
    assert result.recipe.prepare.match_histograms


def test_images_that_are_alike_stay_as_they_are():
    one = PAIR.fixed
    fixed, moving = Prepare(match_histograms=True).pair(one, curved(one, 1.0), None, None, "cpu")
    assert float((moving.data - fixed.data).abs().mean()) < 1e-3
    assert moving.notes
    assert not fixed.notes
    assert not Prepare().pair(one, one, None, None, "cpu")[1].notes


def test_a_power_and_a_gain_come_off():
    one = PAIR.fixed
    for power in (0.5, 2.0):
        fixed, moving = Prepare(match_histograms=True).pair(one, curved(one, power), None, None, "cpu")
        plain = Prepare().pair(one, curved(one, power), None, None, "cpu")[1]
        off, before = (float((image.data - fixed.data).abs().mean()) for image in (moving, plain))
        assert off < 0.45 * before
        assert 0 <= float(moving.data.min()) <= float(moving.data.max()) <= 1


def test_air_about_one_of_the_images_changes_little():
    one, other = wider(PAIR.fixed, 12), wider(PAIR.fixed, 24)
    fixed, moving = Prepare(match_histograms=True).pair(one, other, None, None, "cpu")
    inner = moving.data[..., 12:-12, 12:-12]
    seen = fixed.data > 0.1
    assert float((inner - fixed.data).abs()[seen].mean()) < 0.02


def test_brightness_stays_in_order_and_each_channel_has_its_own():
    images = [curved(PAIR.moving, power) for power in (0.5, 2.0)]
    found = [Prepare(match_histograms=True).pair(PAIR.fixed, image, None, None, "cpu")[1].data for image in images]
    for image, data in zip(images, found, strict=True):
        assert bool((data.flatten()[image.data.flatten().argsort()].diff() >= 0).all())
    both = [Image(torch.cat(part), PAIR.fixed.space) for part in ([PAIR.fixed.data] * 2, [i.data for i in images])]
    together = Prepare(match_histograms=True).pair(both[0], both[1], None, None, "cpu")[1].data
    assert torch.equal(together, torch.cat(found, dim=1))


def test_what_masks_hide_has_no_say():
    """A bright half of the moving image, hidden by both masks, neither moves the quantiles nor the scale."""
    image = PAIR.fixed
    dirty = Image(image.data.clone(), image.space)
    dirty.data[..., :40] = 5 * image.data.max()
    keep = torch.ones_like(image.data)
    keep[..., :40] = 0
    mask = Image(keep, image.space)
    fixed, moving = Prepare(match_histograms=True).pair(image, dirty, mask, mask, "cpu")
    assert float((moving.data - fixed.data).abs()[..., 40:].mean()) < 1e-3


def test_next_to_no_foreground_is_left_alone():
    empty = torch.zeros(40, 40)
    empty[0, 0] = 1.0
    some = torch.rand(40, 40)
    assert torch.equal(matched(empty, some), empty)
    assert torch.equal(matched(some, empty), some)

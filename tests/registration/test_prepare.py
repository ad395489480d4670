"""Intensities on a common scale, masks beside them, and pyramids through which nothing leaks."""

import pytest
import torch

from pullback.errors import InputError
from pullback.image import Image
from pullback.registration import Prepare, Prepared
from pullback.registration.percentiles import percentiles
from pullback.space import Space

SPACE = Space.of_array((40, 50))


def noise(seed=0, channels=1, space=SPACE):
    return Image(torch.rand(channels, *space.shape, generator=torch.Generator().manual_seed(seed)), space)


def mask(rows, columns):
    data = torch.zeros(1, *SPACE.shape)
    data[:, rows, columns] = 1.0
    return Image(data, SPACE)


def prepared(fixed, moving=None, fixed_mask=None, moving_mask=None, **settings):
    return Prepare(**settings).pair(fixed, moving or noise(1), fixed_mask, moving_mask, "cpu")


def test_two_percentiles_become_0_and_1_and_the_rest_is_cut_off():
    image = noise()
    image.data[0, 0, 0], image.data[0, 0, 1] = 1e6, -1e6
    data = prepared(image)[0].data
    assert float(data.min()) == 0.0
    assert float(data.max()) == 1.0
    assert float((data == 0).float().mean()) == pytest.approx(0.001, abs=0.001)
    assert float((data == 1).float().mean()) == pytest.approx(0.002, abs=0.001)
    assert float(data[0, 0, 5, 5]) == pytest.approx(float(image.data[0, 5, 5]), abs=0.01)


def test_gain_and_offset_are_gone():
    image = noise()
    brighter = Image(image.data * 800 - 300, SPACE)
    one, other = prepared(image, brighter)
    assert torch.allclose(one.data, other.data, atol=1e-5)
    assert one.data.dtype is torch.float32
    assert one.data.shape == (1, 1, *SPACE.shape)


def test_every_channel_has_its_own_scale():
    image = noise(channels=2)
    image.data[1] = image.data[1] * 50 + 7
    data = prepared(image, noise(1, channels=2))[0].data
    assert float(data[0, 0].max()) == float(data[0, 1].max()) == 1.0


def test_an_almost_constant_image_keeps_what_it_has():
    image = Image(torch.zeros(1, *SPACE.shape), SPACE)
    image.data[0, 20, 20] = 3.0
    assert float(prepared(image)[0].data[0, 0, 20, 20]) == 1.0


def test_what_a_mask_cuts_out_does_not_set_the_scale():
    image, hole = noise(), mask(slice(10, 20), slice(10, 20))
    image.data[0, 10:20, 10:20] = 1e4
    keep = Image(1 - hole.data, SPACE)
    assert float(prepared(image)[0].data.median()) < 1e-3, "it would"
    assert float(prepared(image, fixed_mask=keep)[0].data.median()) == pytest.approx(0.5, abs=0.05)


def test_a_region_chosen_in_one_image_only_does_not_set_a_scale_of_its_own():
    """Else a tissue would have one brightness in the fixed and another in the moving image."""
    image = Image(noise().data * torch.linspace(0.2, 1, 50), SPACE)
    dark = mask(slice(None), slice(0, 15))
    one, other = prepared(image, image, fixed_mask=dark)
    assert torch.equal(one.data, other.data)
    one, other = prepared(image, image, fixed_mask=dark, moving_mask=dark)
    assert torch.equal(one.data, other.data)
    assert float(one.data[..., :15].max()) == 1.0


def test_weights_are_the_mask_between_0_and_1():
    soft = Image(torch.linspace(-1, 3, 50).expand(1, *SPACE.shape).clone(), SPACE)
    weight = prepared(noise(), fixed_mask=soft)[0].weight
    assert weight.shape == (1, 1, *SPACE.shape)
    assert (float(weight.min()), float(weight.max())) == (0.0, 1.0)
    assert prepared(noise())[0].weight is None


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_an_empty_mask_is_refused(side):
    empty = Image(torch.zeros(1, *SPACE.shape), SPACE)
    with pytest.raises(InputError, match=f"the {side} mask is empty"):
        prepared(noise(), **{f"{side}_mask": empty})


def test_an_image_that_is_constant_under_its_mask_is_refused():
    image = noise()
    image.data[0, 5:20, 5:20] = 3.0
    inside = mask(slice(6, 19), slice(6, 19))
    with pytest.raises(InputError, match="the fixed image is constant under its mask"):
        prepared(image, fixed_mask=inside, moving_mask=inside)


def test_a_constant_channel_is_named():
    image = noise(channels=2)
    image.data[1] = 1.0
    with pytest.raises(InputError, match=r"the fixed \(channel 2\) image is constant"):
        prepared(image, noise(1, channels=2))


def test_a_coarser_level_shows_the_same_field_of_view():
    space = Space.of_array((40, 60), 1.5)
    ramp = Prepared(space.grid()[..., 0].float()[None, None] / -88.5, space)
    coarse = ramp.on_level(space.resized((10, 15)))
    expected = coarse.space.grid()[..., 0].float() / -88.5
    assert torch.allclose(coarse.data[0, 0, :, 2:-2], expected[:, 2:-2], atol=1e-3)
    assert coarse.weight is None


@pytest.mark.parametrize("shape", [(40, 50), (20, 25), (10, 12)])
def test_nothing_leaks_from_under_a_mask(shape):
    keep = 1 - mask(slice(10, 20), slice(10, 20)).data[None]
    level = SPACE.resized(shape)
    clean = noise().data[None]
    dirty = torch.where(keep > 0, clean, 1.0 - clean)
    one, other = (Prepared(data, SPACE, keep).on_level(level) for data in (clean, dirty))
    assert torch.allclose(one.data, other.data, atol=1e-6)
    assert torch.equal(one.weight, other.weight)
    assert float(one.weight.min()) < 0.5
    assert float(one.weight.max()) == pytest.approx(1.0, abs=1e-5)


def test_beyond_the_rim_of_a_mask_the_image_goes_on():
    """Reading between the last voxel that counts and the next must not see what does not count."""
    half = torch.zeros(1, 1, *SPACE.shape)
    half[..., :25] = 1.0
    level = Prepared(torch.where(half > 0, 0.7, 0.0), SPACE, half).on_level(SPACE)
    assert torch.allclose(level.data[..., :27], torch.tensor(0.7), atol=1e-6)
    assert float(level.data[..., 40:].max()) == 0.0


def test_percentiles_are_values_by_rank():
    values = torch.randperm(1001, generator=torch.Generator().manual_seed(0)).float()
    assert percentiles(values, (0, 0.1, 50, 99.8, 100)) == [0.0, 1.0, 500.0, 998.0, 1000.0]
    assert percentiles(values.view(7, 143).T, (0.1, 99.8)) == [1.0, 998.0], "in whatever order they are stored"

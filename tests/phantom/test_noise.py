import math

import pytest
import torch

from pullback.errors import InputError
from pullback.image import Image
from pullback.phantom import add_bias, add_noise


def flat(level):
    return Image.of(torch.full((200, 200), float(level)))


def test_noise_is_rician():
    background = add_noise(flat(0), 0.1, seed=1).data
    assert float(background.mean()) == pytest.approx(0.1 * math.sqrt(math.pi / 2), rel=0.02)  # Rayleigh
    assert float((background**2).mean()) == pytest.approx(2 * 0.1**2, rel=0.03)
    tissue = add_noise(flat(1), 0.05, seed=1).data
    assert float(tissue.std()) == pytest.approx(0.05, rel=0.03)
    assert float(tissue.mean()) == pytest.approx(1 + 0.05**2 / 2, abs=1e-3)


def test_same_seed_same_bits_other_seed_or_name_others():
    once = add_noise(flat(1), 0.1, seed=3).data
    assert torch.equal(once, add_noise(flat(1), 0.1, seed=3).data)
    assert not torch.equal(once, add_noise(flat(1), 0.1, seed=4).data)
    assert not torch.equal(once, add_noise(flat(1), 0.1, seed=3, name="other").data)


def test_no_noise_and_no_bias_change_nothing():
    image = flat(1)
    assert add_noise(image, 0.0) is image
    assert add_bias(image, 0.0) is image


def test_bias_is_smooth_and_as_strong_as_asked():
    shaded = add_bias(flat(1), 0.2, seed=2).data[0].log()
    assert float(shaded.std()) == pytest.approx(0.2, rel=1e-3)
    assert float(shaded.diff(dim=0).abs().max()) < 0.02
    assert float(shaded.diff(dim=1).abs().max()) < 0.02


def test_negative_noise_is_refused():
    with pytest.raises(InputError, match="sigma"):
        add_noise(flat(1), -1.0)

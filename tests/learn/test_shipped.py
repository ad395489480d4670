"""The networks that come with pullback do what their cards say, on hearts that they have never seen."""

from dataclasses import dataclass

import pytest
import torch

from pullback.learn import PairBatch, cine, load_weights, measure, stay
from pullback.learn.measure import by
from pullback.learn.weights import SHIPPED, weights_file
from pullback.registration import recipe_file
from pullback.registration.recipes import learned
from pullback.space import Space

MOST_BYTES = 2_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_small_and_says_what_it_is(name):
    _, card = load_weights(name)
    assert weights_file(name).stat().st_size < MOST_BYTES
    assert card.licence.startswith("Apache-2.0")
    assert card.metrics["model"]["dice"] > card.metrics["identity"]["dice"]
    assert card.recipe["recipe"]["training"]["seed"] == 0
    assert "/" not in card.recipe["data"]["from"]


@pytest.mark.parametrize("name", SHIPPED)
def test_it_lays_unseen_hearts_on_each_other(name):
    model, card = load_weights(name)
    unseen = cine(2, (1, 1, 3), spacing_mm=card.spacing_mm, shape=card.shape, seed=12345).test
    chosen = unseen.some(12)
    before, after = measure(stay, unseen, chosen), measure(by(model), unseen, chosen)
    assert after["dice"] > 0.9 > before["dice"] + 0.1
    assert after["epe_mm"] < 0.3 * before["epe_mm"]
    assert after["fold_percent"] < 0.1


def test_the_heart_network_does_not_mind_how_a_heart_lies_nor_which_tissue_is_bright():
    """Turned, mirrored, dark, black and white exchanged in one image, noisy: what a narrower network stumbles over."""
    model, _ = load_weights("heart-2d")
    unseen = cine(2, (1, 1, 2), spacing_mm=(2.0, 2.0), shape=(80, 80), seed=4321).test
    pair = unseen.batch([0, 4])
    noise = 0.12 * torch.randn(2, *pair.fixed.shape, generator=torch.Generator().manual_seed(0))
    changes = {
        "turned": [torch.rot90(each, dims=(-2, -1)) for each in parts(pair)],
        "mirrored": [each.flip(-1) for each in parts(pair)],
        "dark": [pair.fixed**3, pair.moving**3, *parts(pair)[2:]],
        "inverted": [pair.fixed, 1 - pair.moving, *parts(pair)[2:]],
        "noisy": [(pair.fixed + noise[0]).clamp(0, 1), (pair.moving + noise[1]).clamp(0, 1), *parts(pair)[2:]],
    }
    for name, changed in changes.items():
        batch = PairBatch(*(each.contiguous() for each in changed))
        before, after = (measure(way, Shown(batch, unseen.space), [0])["dice"] for way in (stay, by(model)))
        assert after > 0.9 > before + 0.15, name


@dataclass
class Shown:
    """Pairs of which there is one batch."""

    shown: PairBatch
    space: Space

    def batch(self, chosen):
        return self.shown


def parts(batch):
    return [batch.fixed, batch.moving, batch.fixed_labels, batch.moving_labels]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_names_it_and_not_where_it_lies(name, tmp_path):
    recipe = learned(name)
    text = recipe_file.to_yaml(recipe)
    assert f"weights: {name}" in text
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    assert recipe_file.read(tmp_path / "recipe.yaml") == recipe

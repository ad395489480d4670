"""The networks that come with pullback do what their cards say, on hearts that they have never seen."""

import pytest

from pullback.learn import cine, load_weights, measure, stay
from pullback.learn.measure import by
from pullback.learn.weights import SHIPPED, weights_file
from pullback.registration import recipe_file
from pullback.registration.recipes import learned

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


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_names_it_and_not_where_it_lies(name, tmp_path):
    recipe = learned(name)
    text = recipe_file.to_yaml(recipe)
    assert f"weights: {name}" in text
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    assert recipe_file.read(tmp_path / "recipe.yaml") == recipe

"""Short trainings on real digits and X-rays: an honest fall of the difference on pairs that were kept back."""

from dataclasses import replace

import pytest

from pullback.learn import by, by_group, dataset, measure, stay, train, training


@pytest.fixture
def public(data_folder, monkeypatch):
    if not (data_folder / "mnist").is_dir() or not (data_folder / "medmnist").is_dir():
        pytest.skip(f"there is no mnist and medmnist in {data_folder}")
    monkeypatch.setenv("PULLBACK_DATA", str(data_folder))


def short(name, epochs, **network):
    recipe = training(name)
    how = replace(recipe.training, epochs=epochs, steps=5, batch=1, validate_every=epochs, validation_pairs=20)
    return replace(recipe, network=replace(recipe.network, **network), training=how)


def test_fives_are_laid_on_each_other(public):
    data = dataset("mnist:5")
    assert [len(part.images) for part in (data.train, data.validation, data.test)] == [592, 200, 100]
    chosen = data.test.some(100)
    before = measure(stay, data.test, chosen)
    free = measure(by(train(short("swift-2d", 60), data).model), data.test, chosen)
    assert free["mse"] < 0.4 * before["mse"]
    flow = measure(by(train(short("swift-2d", 60, integrate=5), data).model), data.test, chosen)
    assert flow["mse"] < 0.5 * before["mse"]
    assert flow["fold_percent"] < 0.5 < free["fold_percent"]  # what integration is for


def test_chests_are_laid_on_each_other_in_both_classes(public):
    data = dataset("medmnist:pneumoniamnist")
    chosen = data.test.some(100)
    model = train(short("swift-2d", 40, integrate=5), data).model
    before, after = by_group(stay, data.test, chosen), by_group(by(model), data.test, chosen)
    assert set(before) == {"0", "1", "mixed"}
    for group, figures in after.items():
        assert figures["mse"] < 0.85 * before[group]["mse"]
        assert figures["fold_percent"] < 0.5

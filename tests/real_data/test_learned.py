"""Short trainings on real digits and X-rays: an honest fall of the difference on pairs that were kept back."""

from dataclasses import replace

import pytest

from pullback import io
from pullback.evaluate import mean_dice
from pullback.learn import by, by_group, dataset, measure, stay, train, training
from pullback.registration import register
from pullback.registration.recipes import learned, named
from pullback.transforms import Affine, resample_labels


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


def test_a_network_that_saw_only_phantoms_helps_with_real_hearts(data_folder):
    """Three M&Ms patients, end of systole onto end of diastole: the network, and thirty steps after it."""
    before, alone, refined = [], [], []
    for name in ("A0S9V9", "A1D0Q7", "A1E9Q1"):
        folder = data_folder / "cardiac_ed_es" / "mms" / name
        ed, es = (io.read_image(folder / f"{name}_{end}.nii.gz") for end in ("ED", "ES"))
        ed_labels, es_labels = (io.read_labels(folder / f"{name}_{end}_gt.nii.gz") for end in ("ED", "ES"))
        for found, finetune in ((alone, None), (refined, 30)):
            result = register(ed, es, learned("cine-2d", finetune=finetune, fallback=named("cardiac-sax"), align=False))
            assert result.ok, name
            assert result.outcomes[0].notes[0].startswith("the network moves"), "it was not trusted"
            found.append(mean_dice(ed_labels, resample_labels(es_labels, result.transform, ed.space)))
        before.append(mean_dice(ed_labels, resample_labels(es_labels, Affine.identity(3), ed.space)))
    assert sum(alone) > sum(before) + 3 * 0.08
    assert sum(refined) > sum(alone) + 3 * 0.02

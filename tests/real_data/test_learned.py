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


PATIENTS = {
    "mms/A0S9V9": ("A0S9V9_ED", "A0S9V9_ES"),
    "mms/A1E9Q1": ("A1E9Q1_ED", "A1E9Q1_ES"),
    "acdc/patient021": ("patient021_frame01", "patient021_frame13"),
}


@pytest.mark.filterwarnings("ignore::pullback.errors.PullbackWarning")  # of a header that says its spacing twice
def test_a_network_that_saw_only_phantoms_helps_with_real_hearts(data_folder):
    """Three patients, end of systole onto end of diastole: the network, thirty steps after it, a classical recipe."""
    sums = dict.fromkeys(("before", "alone", "refined", "classical"), 0.0)
    classical = named("cardiac-sax")
    recipes = {
        "alone": learned("heart-2d", fallback=classical, align=False),
        "refined": learned("heart-2d", finetune=30, fallback=classical, align=False),
        "classical": classical,
    }
    for place, ends in PATIENTS.items():
        folder = data_folder / "cardiac_ed_es" / place
        ed, es = (io.read_image(folder / f"{end}.nii.gz") for end in ends)
        ed_labels, es_labels = (io.read_labels(folder / f"{end}_gt.nii.gz") for end in ends)
        sums["before"] += mean_dice(ed_labels, resample_labels(es_labels, Affine.identity(3), ed.space))
        for name, recipe in recipes.items():
            result = register(ed, es, recipe)
            assert result.ok, place
            if name != "classical":
                assert result.outcomes[0].notes[0].startswith("the network moves"), "it was not trusted"
            sums[name] += mean_dice(ed_labels, resample_labels(es_labels, result.transform, ed.space))
    means = {name: total / len(PATIENTS) for name, total in sums.items()}
    assert means["alone"] > means["before"] + 0.15
    assert means["refined"] > means["alone"] + 0.02
    assert means["refined"] > means["classical"] - 0.01

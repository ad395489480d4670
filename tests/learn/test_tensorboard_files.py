"""TensorBoard's own reader finds what log.jsonl says, and the pictures."""

import importlib
import json
from dataclasses import replace

import pytest

from pullback.errors import InputError
from pullback.learn import tensorboard_files, train

READER = "tensorboard.backend.event_processing.event_accumulator"
pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")


@pytest.mark.filterwarnings("ignore")  # of the package, about packages of its own
def test_what_log_and_pictures_say_is_in_the_event_files(data, recipe, tmp_path):
    longer = replace(recipe, training=replace(recipe.training, epochs=8))
    train(recipe, data, tmp_path / "run", tensorboard=True)
    train(longer, data, tmp_path / "run", resume=True, tensorboard=True)
    found = importlib.import_module(READER).EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    for name in ("loss", "learning_rate"):
        assert [(e.step, e.value) for e in found.Scalars(name)] == [
            (line["epoch"], pytest.approx(line[name])) for line in lines
        ]
    dice = [(line["epoch"], pytest.approx(line["validation"]["dice"])) for line in lines if "validation" in line]
    assert [(e.step, e.value) for e in found.Scalars("validation/dice")] == dice
    pictures = found.Images("validation pairs")
    assert [e.step for e in pictures] == [2, 4, 6, 8]
    assert pictures[0].width > pictures[0].height > 16


def test_without_the_package_nothing_is_begun(data, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard_files, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'pullback\[tensorboard\]', or leave --tensorboard out"):
        train(recipe, data, tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()

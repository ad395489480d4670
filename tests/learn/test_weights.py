"""Weights come back as they were, and whatever is wrong with a file is a sentence before it is a number."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from pullback.errors import ModelError
from pullback.learn import Card, Network, VoxelMorph, load_weights, save_weights
from pullback.learn.tensors import read_tensors


@pytest.fixture
def model():
    return VoxelMorph(encoder=(4, 4), decoder=(4, 4, 4))


@pytest.fixture
def saved(model, tmp_path):
    return save_weights(model, Card(Network.of(model), (1.5, 1.0), (16, 16), "blobs"), tmp_path / "model.safetensors")


def test_weights_and_card_come_back(model, saved):
    again, card = load_weights(saved)
    assert card == Card(Network.of(model), (1.5, 1.0), (16, 16), "blobs")
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))
    assert not again.training
    assert len(json.loads(saved.with_suffix(".json").read_text())["sha256"]) == 64
    saved.with_suffix(".json").unlink()  # the card is in the file as well
    assert load_weights(saved)[1] == card


@pytest.mark.parametrize("keep", [0, 3, 8, 40, 1000, -1])
def test_a_file_that_is_cut_short_is_refused(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut short|damaged|no safetensors"):
        load_weights(saved)


def test_every_flipped_byte_is_noticed(saved):
    whole = saved.read_bytes()
    for k in range(0, len(whole), 97):
        saved.write_bytes(whole[:k] + bytes([whole[k] ^ 0x55]) + whole[k + 1 :])
        with pytest.raises(ModelError):
            load_weights(saved)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ModelError, match="Python pickle"):
        load_weights(path)
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="Python pickle"):
        load_weights(path)


def rewritten(path, **changed):
    """The same numbers under another card."""
    tensors, text = read_tensors(path)
    path.with_suffix(".json").unlink(missing_ok=True)
    text["card"] |= changed
    save_file(tensors, path, {"pullback": json.dumps(text)})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"network": Network(encoder=(8, 8), decoder=(4, 4, 4)).to_dict()}, "does not hold the weights"),
        ({"network": Network(encoder=(1024,) * 8, decoder=(1024,) * 16, dimension=3).to_dict(),
          "spacing_mm": [1.0] * 3, "shape": [8] * 3}, "does not hold the weights"),
        ({"network": {"form": "eval"}}, "a network is described by"),
        ({"spacing_mm": [0.0, 1.0]}, "positive numbers"),
        ({"shape": [16]}, "2 numbers"),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit_is_refused(saved, changed, said):
    rewritten(saved, **changed)
    with pytest.raises(ModelError, match=said):
        load_weights(saved)


def test_other_files_are_refused(saved, tmp_path):
    with pytest.raises(ModelError, match="there is no file"):
        load_weights(tmp_path / "nothing.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(3)}, foreign)
    with pytest.raises(ModelError, match="not written by pullback"):
        load_weights(foreign)
    saved.with_suffix(".json").write_text("{")
    with pytest.raises(ModelError, match="is damaged"):
        load_weights(saved)


def test_weights_that_are_not_finite_are_neither_written_nor_used(model, saved, tmp_path):
    card = load_weights(saved)[1]
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(ModelError, match="NaN"):
        save_weights(model, card, tmp_path / "bad.safetensors")
    assert not (tmp_path / "bad.safetensors").exists()
    with pytest.raises(ModelError, match=r"\.safetensors"):
        save_weights(model, card, tmp_path / "model.pt")

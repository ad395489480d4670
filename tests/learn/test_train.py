"""A training learns, survives a kill, and is the same in one process and in two."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pullback.errors import InputError, ModelError, RecipeError, TrainingError
from pullback.learn import (
    Augmentation,
    Dataset,
    Loss,
    Network,
    Pairs,
    Training,
    TrainingRecipe,
    load_weights,
    measure,
    stay,
    train,
    training,
)
from pullback.learn.journal import CHECKPOINT, LOG
from pullback.learn.measure import by, score
from pullback.learn.train import learning_rate

SRC = Path(__file__).parents[2] / "src"


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def untimed(line):
    """A line of the log without what another run must not repeat."""
    line.get("validation", {}).pop("seconds", None)
    return line


def test_a_network_learns_to_lay_blobs_on_each_other(data, recipe):
    longer = replace(recipe, training=replace(recipe.training, epochs=20, steps=8, validate_every=20))
    trained = train(longer, data)
    chosen = data.test.some(8)
    before, after = measure(stay, data.test, chosen), measure(by(trained.model), data.test, chosen)
    assert after["mse"] < 0.5 * before["mse"]
    assert after["dice"] > before["dice"] + 0.1
    assert trained.card.metrics["model"]["dice"] == pytest.approx(after["dice"], abs=0.05)


def test_a_training_writes_its_weights_its_log_and_pictures(data, recipe, tmp_path):
    seen = []
    trained = train(recipe, data, tmp_path / "run", watch=seen.append, notes={"why": "a test"})
    assert [p.epoch for p in seen] == list(range(1, 7))
    assert seen[-1].seconds_left == 0
    log = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert [line["epoch"] for line in log] == list(range(1, 7))
    assert [line["loss"] for line in log] == list(trained.losses)
    assert [("validation" in line) for line in log] == [False, True] * 3
    assert log[1]["judged_by"] == "dice"
    model, card = load_weights(tmp_path / "run")
    assert same(model, trained.model)
    assert card.data == "blobs"
    assert card.recipe == {"why": "a test"}
    assert len(list((tmp_path / "run" / "pictures").glob("*.png"))) == 3


@pytest.mark.parametrize("more", [{}, {"average": 0.9, "clip": 1.0, "decay": "cosine", "warm_up": 3}])
def test_a_training_that_is_resumed_is_the_training_that_was_not_stopped(data, recipe, tmp_path, more):
    varied = Augmentation(rotate_degrees=20, noise=0.05) if more else None
    recipe = replace(recipe, training=replace(recipe.training, **more), augmentation=varied)
    whole = train(recipe, data, tmp_path / "whole")

    def stop(progress):
        if progress.epoch == 3:  # an epoch after the checkpoint
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, data, tmp_path / "cut", watch=stop)
    resumed = train(recipe, data, tmp_path / "cut", resume=True)
    assert resumed.losses == whole.losses[2:]
    assert same(resumed.model, whole.model)
    logs = [(tmp_path / name / LOG).read_text().splitlines() for name in ("cut", "whole")]
    cut, never = ([untimed(json.loads(line)) for line in log] for log in logs)
    assert cut == never


SCRIPT = """
import sys
import torch
from pullback.learn import *
torch.set_num_threads(1)
torch.manual_seed(0)
pairs = Pairs(torch.rand(6, 1, 16, 16), (1.0, 1.0))
how = Training(epochs=int(sys.argv[2]), steps=3, batch=2, validate_every=1, validation_pairs=2, pictures=0)
recipe = TrainingRecipe("t", "t", Network(encoder=(4,), decoder=(4, 4), flow_scale=10.0), Loss(), how)
train(recipe, Dataset("d", pairs, pairs, pairs), sys.argv[1])
"""


@pytest.fixture
def job():
    """The data and the recipe of SCRIPT in this process: job(epochs)."""

    def make(epochs):
        torch.manual_seed(0)
        pairs = Pairs(torch.rand(6, 1, 16, 16), (1.0, 1.0))
        how = Training(epochs=epochs, steps=3, batch=2, validate_every=1, validation_pairs=2, pictures=0)
        network = Network(encoder=(4,), decoder=(4, 4), flow_scale=10.0)
        return TrainingRecipe("t", "t", network, Loss(), how), Dataset("d", pairs, pairs, pairs)

    return make


def start(run, epochs, **variables):
    environment = os.environ | {"PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1"} | variables
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(run), str(epochs)]
    return subprocess.Popen(words, env=environment, text=True, stderr=subprocess.PIPE)


def test_a_killed_training_leaves_a_checkpoint_that_goes_on(tmp_path, job):
    run, log = tmp_path / "run", tmp_path / "run" / LOG
    process = start(run, 100_000)
    deadline = time.monotonic() + 120
    while not (log.is_file() and len(log.read_text().splitlines()) > 5):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = len(log.read_text().splitlines())
    recipe, data = job(done + 3)
    train(recipe, data, run, resume=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, done + 4))
    whole = train(recipe, data)
    assert [line["loss"] for line in lines] == list(whole.losses)
    assert same(load_weights(run)[0], whole.model)


def test_two_processes_take_the_steps_of_one_with_the_whole_batch(tmp_path, job):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    processes = [start(tmp_path / "two", 2, RANK=str(rank), **together) for rank in (0, 1)]
    one = train(*job(2))
    for process in processes:
        said = process.communicate(timeout=240)[1]
        assert process.returncode == 0, said
    losses = [json.loads(line)["loss"] for line in (tmp_path / "two" / LOG).read_text().splitlines()]
    assert losses == pytest.approx(one.losses, rel=1e-5)
    two = load_weights(tmp_path / "two")[0].state_dict()
    for name, tensor in one.model.state_dict().items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4)


def test_patience_ends_a_training_that_gets_no_better(data, recipe):
    still = replace(recipe, training=replace(recipe.training, learning_rate=1e-12, patience=2, epochs=50))
    trained = train(still, data)
    assert trained.stopped_early
    assert len(trained.losses) == 6  # the first validation is the best, and two more are no better


def test_a_loss_that_is_not_finite_ends_with_a_sentence_and_the_checkpoint_stays(data, recipe, tmp_path):
    wild = replace(recipe, training=replace(recipe.training, validate_every=1))
    train(wild, data, tmp_path / "run")
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    data.train.images[:, :, 0, 0] = torch.nan
    longer = replace(wild, training=replace(wild.training, epochs=9))
    with pytest.raises(TrainingError, match=r"the loss became nan in epoch 7.*the last checkpoint is in"):
        train(longer, data, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before


def test_running_out_of_memory_is_a_sentence(data, recipe, monkeypatch):
    def full(*arguments, **more):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 TB")

    monkeypatch.setattr(Loss, "terms", full)
    with pytest.raises(TrainingError, match="take a smaller batch"):
        train(recipe, data)


def test_low_precision_learns_too(data, recipe):
    half = replace(recipe, training=replace(recipe.training, precision="bfloat16", epochs=20))
    losses = train(half, data).losses
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_what_cannot_be_trained_is_refused(data, recipe, blobs, tmp_path):
    deep = blobs(4, dimension=3, size=8)
    with pytest.raises(ModelError, match="2D and the data d are 3D"):
        train(recipe, Dataset("d", deep, deep, deep))
    with pytest.raises(InputError, match="no checkpoint to resume"):
        train(recipe, data, tmp_path / "run", resume=True)
    train(replace(recipe, training=replace(recipe.training, epochs=2)), data, tmp_path / "run")
    with pytest.raises(InputError, match="holds a training already"):
        train(recipe, data, tmp_path / "run")
    other = replace(recipe, network=replace(recipe.network, encoder=(8, 8)))
    with pytest.raises(ModelError, match="no checkpoint of this training"):
        train(other, data, tmp_path / "run", resume=True)
    for wrong in ({"epochs": 0}, {"learning_rate": 0.0}, {"clip": -1.0}, {"average": 1.0}, {"seed": -1}):
        with pytest.raises(RecipeError):
            Training(**wrong)
    with pytest.raises(RecipeError, match="choose one of voxelmorph-2d"):
        training("resnet")


def test_channels_follow_the_data(blobs, recipe):
    colour = blobs(4, channels=3)
    short = replace(recipe, training=replace(recipe.training, epochs=1))
    trained = train(short, Dataset("colour", colour, colour, colour))
    assert trained.card.network.channels == 3


def test_the_learning_rate_rises_and_falls():
    how = Training(epochs=10, steps=10, learning_rate=1.0, warm_up=10, decay="cosine")
    rates = [learning_rate(how, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], abs=0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001


def test_accuracy_goes_before_likeness():
    assert score({"mse": 0.1, "dice": 0.7, "epe_mm": 2.0}) == ("epe_mm", -2.0)
    assert score({"mse": 0.1, "dice": 0.7}) == ("dice", 0.7)
    assert score({"mse": 0.1, "dice": float("nan")}) == ("mse", -0.1)


def test_a_3d_network_trains(blobs, recipe):
    deep = blobs(4, dimension=3, size=12)
    network = replace(recipe.network, dimension=3, integrate=3, half_resolution=True, bidirectional=True)
    short = replace(recipe, network=network, training=replace(recipe.training, epochs=2, batch=1))
    trained = train(short, Dataset("deep", deep, deep, deep))
    assert trained.model(deep.images[:1], deep.images[1:2]).displacement.shape == (1, 3, 12, 12, 12)

"""Train, judge, register: as a user does it."""

import importlib
import json

import pytest
import yaml

import pullback as pb
from pullback.cli.main import main
from pullback.learn import TRAININGS, Card, Network, VoxelMorph, save_weights

fetch = importlib.import_module("pullback.learn.data.fetch")  # the module, not the function
FILES = {"toys/a.gz": "md5:0cc175b9c0f1b6a831c399e269772661"}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Eight small hearts, each with one that beats, as files with a list."""
    folder = tmp_path_factory.mktemp("scans")
    lines = ["fixed,moving,fixed_labels,moving_labels"]
    space = pb.phantom.heart_space(shape=(32, 32), spacing=(5.0, 5.0))
    for k in range(8):
        pair = pb.phantom.beating_heart((0.0, 0.36), space=space, seed=k).pair()
        for name, thing in (("fixed", pair.fixed), ("moving", pair.moving), ("fixed_seg", pair.fixed_labels),
                            ("moving_seg", pair.moving_labels)):  # fmt: skip
            pb.write_image(thing, folder / f"{k}_{name}.nii.gz")
        lines.append(",".join(f"{k}_{name}.nii.gz" for name in ("fixed", "moving", "fixed_seg", "moving_seg")))
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    text = yaml.safe_load(pb.registration.recipe_file.to_yaml(TRAININGS["diffeomorphic-2d"]()))
    text["network"] |= {"encoder": [4, 4], "decoder": [4, 4, 4], "integrate": 3}
    text["training"] |= {"steps": 4, "batch": 2, "validate_every": 2, "warm_up": 0, "patience": None, "pictures": 1}
    (folder / "small.yaml").write_text(yaml.safe_dump(text))
    return folder


@pytest.fixture(scope="module")
def trained(scans):
    words = ["train", scans / "data.csv", "--recipe", scans / "small.yaml", "--out", scans / "run", "--steps", 16, "-q"]
    assert main([str(word) for word in words]) == 0
    return scans / "run"


def test_a_training_leaves_a_model_with_its_card(trained):
    card = json.loads((trained / "model.json").read_text())
    assert card["data"] == "data.csv"
    assert card["metrics"]["model"]["dice"] > 0
    assert card["recipe"]["recipe"]["training"]["epochs"] == 4


def test_a_training_goes_on(run, trained, scans, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("checkpoint.safetensors", "log.jsonl"):
        (copy / name).write_bytes((trained / name).read_bytes())
    answer = run("train", "--resume", copy, "--steps", 24)
    assert answer.code == 0, answer.err
    assert len((copy / "log.jsonl").read_text().splitlines()) == 6
    assert "epoch 6 of 6" in answer.err
    assert "model.safetensors" in answer.out


def test_a_model_is_compared_with_nothing_and_with_a_recipe(run, trained, scans, quick):
    words = ("evaluate-model", trained, scans / "data.csv", "--pairs", 2, "--classical", quick)
    found = json.loads(run(*words, "--json").out)
    assert found["pairs"] == 2
    assert set(found["identity"]) == set(found["model"]) == set(found["classical"])
    assert found["classical"]["dice"] > found["identity"]["dice"]
    answer = run(*words)
    assert answer.code == 0
    assert answer.out.splitlines()[0].split() == ["2", "pairs", "mse", "fold_percent", "dice", "seconds"]
    assert [line.split()[0] for line in answer.out.splitlines()[1:]] == ["identity", "model", "classical"]


def test_a_model_registers_is_refined_and_falls_back(run, trained, scans, quick, tmp_path):
    words = ("register", scans / "0_fixed.nii.gz", scans / "0_moving.nii.gz", "--recipe", quick)
    answer = run(*words, "--out", tmp_path / "r", "--model", trained / "model.safetensors", "--finetune", 5)
    assert answer.code == 0, answer.err
    result = json.loads((tmp_path / "r" / "result.json").read_text())
    assert [stage["stage"] for stage in result["stages"]] == ["align centres", "learned", "deformable"]
    assert "network" in result["stages"][1]["notes"][0]
    assert run("info", tmp_path / "r").code == 0


def test_scans_are_prepared_once(run, scans, tmp_path):
    words = ("train", scans / "data.csv", "--recipe", scans / "small.yaml", "--steps", 4)
    first, second, third = (
        run(*words, "--out", tmp_path / name, *more)
        for name, more in (
            ("a", ["--cache", tmp_path / "c"]),
            ("b", ["--cache", tmp_path / "c"]),
            ("d", ["--no-cache"]),
        )
    )
    assert "cache: 32 prepared scans (0 from before)" in first.err
    assert "cache: 32 prepared scans (32 from before)" in second.err
    assert "cache:" not in third.err
    losses = [(tmp_path / name / "log.jsonl").read_text().splitlines()[0].split('"validation"')[0] for name in "abd"]
    assert losses[0] == losses[1] == losses[2]
    assert run("data", "cache", "--folder", tmp_path / "c").out.startswith("32 prepared scans, ")
    assert "removed 32" in run("data", "cache", "--folder", tmp_path / "c", "--clear").out
    assert list((tmp_path / "c").iterdir()) == []


def test_a_data_set_that_is_there_is_not_fetched(run, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "sources", lambda: {"toys": {"from": ["http://127.0.0.1:9/"], "files": FILES}})
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "a.gz").write_bytes(b"a")
    assert run("data", "fetch", "toys", "--folder", tmp_path).out.strip() == str(tmp_path / "toys" / "a.gz")
    assert run("data", "list", "--folder", tmp_path).out.split() == ["toys", "there", "in", str(tmp_path)]
    answer = run("data", "fetch", "toys", "--folder", tmp_path / "empty")
    assert (answer.code, "put the file into" in answer.err) == (2, True)


def test_a_model_becomes_an_onnx_file(run, tmp_path):
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    model = VoxelMorph(encoder=(4,), decoder=(4, 4))  # a small one: to follow a network takes its time
    save_weights(model, Card(Network.of(model), (1.0, 1.0), (8, 8)), tmp_path / "a.safetensors")
    answer = run("export-model", tmp_path / "a.safetensors", tmp_path / "a.onnx")
    assert answer.code == 0, answer.err
    assert "ONNX Runtime gives what torch gives" in answer.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.onnx", "a.safetensors"]


def test_what_cannot_be_done_is_said(run, trained, scans, tmp_path):
    for words, said in (
        (("train",), "give data to learn from"),
        (("train", scans / "data.csv"), "Add --out DIR"),
        (("train", "--dataset", "cifar", "--out", tmp_path / "x"), "there is no data 'cifar'"),
        (("train", scans / "data.csv", "--recipe", "resnet", "--out", tmp_path / "x"), "there is no training 'resnet'"),
        (("train", "--resume", tmp_path), "holds no checkpoint"),
        (("train", "--resume", trained, "--seed", 3), "leave them out"),
        (("train", "--resume", trained, "--download"), "leave them out"),
        (("export-model", trained, tmp_path / "x.pt"), "ends in .onnx"),
        (("export-model", scans / "data.csv", tmp_path / "x.onnx"), "no safetensors file"),
        (("data", "fetch"), "takes names"),
        (("data", "list", "mnist"), "takes names"),
        (("data", "list", "--clear"), "--clear is for"),
        (("data", "fetch", "cifar"), "choose one of mnist, "),
        (("evaluate-model", trained), "give data to judge it on"),
        (("evaluate-model", scans / "data.csv", scans / "data.csv"), "no safetensors file"),
        (("register", scans / "0_fixed.nii.gz", scans / "0_moving.nii.gz", "--out", tmp_path / "r", "--finetune", 5),
         "give one with --model"),
    ):  # fmt: skip
        answer = run(*words)
        assert answer.code == 2, words
        assert said in answer.err
    assert not (tmp_path / "x").exists()


def test_training_recipes_are_shown_to_be_changed(run, tmp_path):
    for name in TRAININGS:
        text = run("train", "--show", name).out
        (tmp_path / "mine.yaml").write_text(text)
        assert run("train", "--show", tmp_path / "mine.yaml").out == text
        assert all("#" in line or line.strip().startswith("kind") for line in text.splitlines())

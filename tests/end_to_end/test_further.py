"""pullback register with further images, masks and landmarks, from files named on the command line."""

import json

import pytest
import torch

import pullback as pb
from pullback.energy import LNCC, Energy, LandmarkDistance, SoftDice, SurfaceDistance, Term, WeightedSum
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration import Optimise, Recipe, recipe_file


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two hearts, their labels, landmarks, and a recipe that names them."""
    folder = tmp_path_factory.mktemp("further")
    pair = pb.phantom.make("pair", shape=(64, 64), spacing=(3.6, 3.6))
    here = pair.fixed.space.centre + 15 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    for name in ("fixed", "moving"):
        pb.write_image(getattr(pair, name), folder / f"{name}.nii.gz")
        pb.write_image(getattr(pair, f"{name}_labels"), folder / f"{name}_seg.nii.gz")
    pb.write_points(pb.Points(here), folder / "fixed.csv")
    pb.write_points(pb.Points(pair.truth(here)), folder / "moving.csv")
    for name, points in (("fixed", here.flip(0)), ("moving", pair.truth(here)[[0, 0, 2, 1]])):
        pb.write_points(pb.Points(points), folder / f"{name}_wall.csv")
    terms = (
        Term(LNCC(), mask="heart"), Term(SoftDice(), images="labels"), Term(LandmarkDistance(), 0.01),
        Term(SurfaceDistance(), 0.01, images="wall"),
    )  # fmt: skip
    stage = Optimise(Greedy(), Energy(WeightedSum(terms)), GradientDescent(), Schedule((Level(2, 15),)))
    (folder / "mine.yaml").write_text(recipe_file.to_yaml(Recipe("mine", "", (stage,))), encoding="utf-8")
    return folder


@pytest.fixture
def words(files, tmp_path):
    """The command, whole."""
    return [
        *("register", files / "fixed.nii.gz", files / "moving.nii.gz", "--out", tmp_path / "out"),
        *("--recipe", files / "mine.yaml", "--also", f"labels={files}/fixed_seg.nii.gz,{files}/moving_seg.nii.gz"),
        *("--mask", f"heart={files}/fixed_seg.nii.gz"),
        *("--fixed-points", files / "fixed.csv", "--moving-points", files / "moving.csv"),
        *("--surface", f"wall={files}/fixed_wall.csv,{files}/moving_wall.csv"),
    ]


def test_everything_named_is_compared_and_told(run, words, files, tmp_path):
    answer = run(*words, "--report")
    assert answer.code == 0, answer.err
    said = json.loads((tmp_path / "out" / "result.json").read_text())
    notes = said["stages"][-1]["notes"]
    assert [note.split(" (")[0] for note in notes] == [
        "LNCC under heart", "SoftDice of labels", "landmarks", "surface wall"]  # fmt: skip
    assert said["provenance"]["fixed_points"] == str(files / "fixed.csv")
    assert said["provenance"]["also"] == ["labels"]
    assert said["provenance"]["surfaces"] == {"wall": [3, 4]}
    assert "SoftDice of labels" in (tmp_path / "out" / "report.html").read_text()
    assert pb.load(tmp_path / "out").recipe == recipe_file.read(files / "mine.yaml")


@pytest.mark.parametrize(
    ("drop", "add", "message"),
    [
        (("--also",), (), "--also labels=FIXED,MOVING"),
        (("--mask",), (), "--mask heart=FIXED,MOVING"),
        (("--moving-points",), (), "give both"),
        (("--surface",), (), "--surface NAME=FIXED,MOVING"),
        ((), ("--also", "labels"), "--also needs NAME=FIXED,MOVING"),
        ((), ("--also", "labels=a.nii"), "file names without commas; got 'labels=a.nii'"),
        ((), ("--also", "labels=a.nii,b.nii"), "--also labels is given twice"),
        ((), ("--mask", "heart=,"), "NAME=,MOVING"),
        (("--recipe",), (), "the recipe 'deformable' does not name it"),
    ],
)
def test_what_does_not_meet_is_one_line_and_nothing_is_written(run, words, tmp_path, drop, add, message):
    for option in drop:
        at = words.index(option)
        words = words[:at] + words[at + 2 :]
    answer = run(*words, *add)
    assert answer.code == 2
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_mask_of_the_moving_side_alone(run, words, files, tmp_path):
    at = words.index("--mask")
    words[at + 1] = f"heart=,{files}/moving_seg.nii.gz"
    assert run(*words).code == 0


@pytest.mark.parametrize("recipe", [("--recipe", "fast"), ()], ids=["named", "auto"])
def test_values_and_terms_without_a_file(run, files, tmp_path, recipe):
    term = "{similarity: {kind: SurfaceDistance}, weight: 0.01}"
    answer = run(*("register", files / "fixed.nii.gz", files / "moving.nii.gz", "--out", tmp_path / "out"), *recipe,
                 *("--set", "prepare.match_histograms=true", "--term", term),
                 *("--surface", f"wall={files}/fixed_wall.csv,{files}/moving_wall.csv"))  # fmt: skip
    assert answer.code == 0, answer.err
    whole = recipe_file.read(tmp_path / "out" / "recipe.yaml")
    assert whole.prepare.match_histograms
    assert Term(SurfaceDistance(), 0.01) in whole.dense.energy.similarity.terms
    said = json.loads((tmp_path / "out" / "result.json").read_text())
    assert said["stages"][0]["notes"][0].startswith("histogram matched")
    assert ("chosen" in said["provenance"]) == (not recipe)


def test_a_setting_that_is_not_there_is_one_line(run, files, tmp_path):
    answer = run(*("register", files / "fixed.nii.gz", files / "moving.nii.gz", "--out", tmp_path / "out"),
                 *("--recipe", "fast", "--set", "prepare.flaten_mm=40"))  # fmt: skip
    assert answer.code == 2
    assert "there is no 'flaten_mm' here; there is low_percentile" in answer.err
    assert not (tmp_path / "out").exists()
    shown = run("recipe", "show", "fast", "--set", "prepare.flatten_mm=40")
    assert "flatten_mm: 40.0" in shown.out

"""The other commands: info, recipe, phantom, doctor, demo, report."""

import json
from importlib import metadata

import pytest
import torch

import pullback as pb
from pullback.cli.main import COMMANDS
from pullback.phantom.catalogue import names
from pullback.registration import recipe_file
from pullback.registration.recipes import RECIPES


def test_info_tells_where_an_image_lies(run, deep):
    answer = run("info", deep / "fixed.nii.gz")
    assert answer.code == 0
    facts = dict(line.split(maxsplit=1) for line in answer.out.splitlines() if line[0] != " ")
    assert facts["shape"] == "6, 36, 32"
    assert facts["spacing"] == "12, 7, 7"
    assert facts["orientation"] == "SPL"
    assert json.loads(run("info", deep / "fixed.nii.gz", "--json").out)["shape"] == [6, 36, 32]


def test_info_tells_what_a_transform_does(run, result, tmp_path):
    pb.write_transform(pb.Affine.translation([1.0, 2.0, 3.0]), tmp_path / "shift.tfm")
    answer = run("info", tmp_path / "shift.tfm")
    assert answer.code == 0
    assert "transform" in answer.out
    assert "determinant             1" in answer.out
    facts = json.loads(run("info", result / "transform.h5", "--json").out)
    assert facts["largest_displacement_mm"] > 1
    assert json.loads(run("info", result / "displacement.nii.gz", "--json").out)["kind"] == "transform"


def test_info_tells_how_a_registration_went(run, result, flat):
    answer = run("info", result)
    assert answer.code == 0
    for word in (
        "message",
        "overlap",
        "jacobian min",
        "rigid: ",
        "deformable: ",
        str(flat / "fixed.nii.gz"),
        "seg_warped",
    ):
        assert word in answer.out
    assert json.loads(run("info", result, "--json").out) == json.loads((result / "result.json").read_text())


def test_info_makes_notes_of_what_is_odd(run, flat, tmp_path):
    image = pb.read_image(flat / "fixed.nii.gz")
    image.data[0, 3, 4] = float("nan")
    pb.write_image(image, tmp_path / "nan.nii.gz")
    answer = run("info", tmp_path / "nan.nii.gz")
    assert answer.code == 0
    assert answer.err.splitlines() == ["pullback: note: 1 values are not finite"]


def test_recipe_list_names_them_all_and_show_writes_what_register_reads(run, tmp_path):
    listed = run("recipe", "list").out.splitlines()
    assert [line.split()[0] for line in listed] == list(RECIPES)
    assert [line.split()[0] for line in listed if "the default" in line] == ["deformable"]
    for name in RECIPES:
        shown = run("recipe", "show", name)
        assert (shown.code, shown.err) == (0, "")
        assert run("recipe", "show", name, "--out", tmp_path / f"{name}.yaml").out == ""
        assert (tmp_path / f"{name}.yaml").read_text() == shown.out
        assert recipe_file.read(tmp_path / f"{name}.yaml") == pb.recipes.named(name)


def test_recipe_show_fills_in_what_a_file_leaves_out(run, tmp_path):
    (tmp_path / "short.yaml").write_text("name: s\ndescription: d\nstages: [{kind: AlignCentres}]\n")
    shown = run("recipe", "show", tmp_path / "short.yaml")
    assert shown.code == 0
    assert "least_overlap: 0.3" in shown.out


def test_phantom_list_names_them_all(run):
    assert [line.split()[0] for line in run("phantom", "list").out.splitlines()] == list(names())


def test_phantom_writes_an_image_and_its_labels(run, tmp_path):
    assert run("phantom", "sax", "--out", tmp_path / "sax.nii.gz", "--labels", tmp_path / "seg.nii.gz").code == 0
    image, labels = pb.read_image(tmp_path / "sax.nii.gz"), pb.read_labels(tmp_path / "seg.nii.gz")
    assert torch.equal(image.data, pb.phantom.short_axis().data)
    assert labels.values == (1, 2, 3)
    words = ("--shape", 8, 32, 32, "--spacing", 10, 7, 7, "--seed", 4, "--noise", 0.05, "--out", tmp_path / "h.nii.gz")
    assert run("phantom", "heart-3d", *words).code == 0
    assert pb.read_image(tmp_path / "h.nii.gz").space.spacing == pytest.approx((10, 7, 7))


def test_phantom_writes_a_pair_with_the_answer(run, tmp_path):
    assert run("phantom", "pair", "--out", tmp_path / "p", "--shape", 32, 32, "--spacing", 8, 8, "--seed", 2).code == 0
    names = ["fixed", "fixed_seg", "moving", "moving_seg", "truth"]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [f"{name}.nii.gz" for name in names]
    pair = pb.phantom.make("pair", shape=(32, 32), spacing=(8, 8), seed=2)
    truth = pb.read_transform(tmp_path / "p" / "truth.nii.gz")
    assert float(pb.evaluate.end_point_error(truth, pair.truth, pair.fixed.space).max()) < 1e-3
    assert torch.equal(pb.read_image(tmp_path / "p" / "moving.nii.gz").data, pair.moving.data)


def test_phantom_writes_the_frames_of_a_beat(run, tmp_path):
    words = ("--frames", 3, "--shape", 32, 32, "--spacing", 8, 8, "--out", tmp_path / "c")
    assert run("phantom", "beating", *words).code == 0
    written = {path.name for path in (tmp_path / "c").iterdir()}
    assert written == {
        f"{n}.nii.gz" for t in range(3) for n in (f"frame_{t:02d}", f"frame_{t:02d}_seg", f"truth_{t:02d}")
    }
    still = pb.read_transform(tmp_path / "c" / "truth_00.nii.gz")
    assert float(still.field.abs().max()) < 1e-3


def test_doctor_tells_versions_devices_and_kernels(run):
    answer = run("doctor")
    assert answer.code == 0
    for word in (f"torch {torch.__version__}", "numpy", "threads", "cpu", "kernel", "lncc", "reference"):
        assert word in answer.out


def test_doctor_says_what_is_missing(run, monkeypatch):
    real = metadata.version
    missing = {"SimpleITK", "jinja2"}

    def version(name: str) -> str:
        if name in missing:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr("pullback.cli.doctor.version", version)
    answer = run("doctor")
    assert answer.code == 1
    assert "jinja2 is missing: pip install jinja2" in answer.out
    assert "advice     for SimpleITK images in Python" in answer.out


def test_demo_compares_with_the_truth_and_does_so_again(run, tmp_path):
    answers = [run("demo", "--out", tmp_path / name, "-q") for name in ("one", "two")]
    assert [answer.code for answer in answers] == [0, 0]
    assert answers[0].err == ""
    rows = {line[:32].strip(): [float(v) for v in line[32:].split()] for line in answers[0].out.splitlines()[2:7]}
    before, after = rows["mean error in the heart, mm"]
    assert before > 5
    assert after < 1
    for name in ("right ventricle", "left myocardium", "left ventricle"):
        before, after = rows[f"Dice, {name}"]
        assert before < 0.7
        assert after > 0.9
    assert str(tmp_path / "one" / "report.html") in answers[0].out
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert set(one) == set(two)
    same = {name for name in one if one[name] == two[name]}
    assert set(one) - same <= {"result.json", "report.html"}  # which hold the time
    assert (tmp_path / "one" / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_report_can_be_made_later_and_with_images_that_have_moved(run, flat, quick, tmp_path):
    for name in ("fixed", "moving"):
        (tmp_path / f"{name}.nii.gz").write_bytes((flat / f"{name}.nii.gz").read_bytes())
    words = ("--out", tmp_path / "r", "--recipe", quick)
    assert run("register", tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", *words).code == 0
    answer = run("report", tmp_path / "r")
    assert (answer.code, answer.out) == (0, f"written to {tmp_path / 'r' / 'report.html'}\n")
    (tmp_path / "fixed.nii.gz").rename(tmp_path / "renamed.nii.gz")
    lost = run("report", tmp_path / "r", "--out", tmp_path / "later.html")
    assert lost.code == 2
    assert "there is no such file" in lost.err
    assert not (tmp_path / "later.html").exists()
    words = ("--fixed", tmp_path / "renamed.nii.gz", "--out", tmp_path / "later.html")
    assert run("report", tmp_path / "r", *words).code == 0
    assert (tmp_path / "later.html").stat().st_size > 10_000


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    answer = run(command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"usage: pullback {command}")
    if command != "doctor":
        assert "examples:" in answer.out
        assert "fixed points to moving points" in answer.out


def test_out_is_a_folder_not_an_image(run, deep, tmp_path):
    answer = run("register", deep / "fixed.nii.gz", deep / "moving.nii.gz", "--out", tmp_path / "warped.nii.gz")
    assert answer.code == 2
    assert "has the name of an image" in answer.err
    assert not (tmp_path / "warped.nii.gz").exists()

"""pullback evaluate: one result, two label maps, a list of cases, two methods."""

import csv
import json
import math

import nibabel as nib
import numpy as np
import pytest
import torch

import pullback as pb


def values(path):
    with path.open(newline="") as file:
        return {(r["measure"], r["label"]): r for r in csv.DictReader(file)}


@pytest.fixture
def labels(flat):
    return ["--fixed-labels", flat / "fixed_seg.nii.gz", "--moving-labels", flat / "seg.nii.gz"]


def test_one_result_with_labels(run, result, flat, labels, tmp_path):
    places = ["--json", tmp_path / "o.json", "--csv", tmp_path / "o.csv"]
    answer = run("evaluate", result, *labels, "--label-names", "1=RV,2=Myo", *places)
    assert (answer.code, answer.err) == (0, "")
    assert "1 RV" in answer.out
    assert "HD95, mm" in answer.out
    found = values(tmp_path / "o.csv")
    warped = pb.read_labels(result / "seg_warped.nii.gz")  # what register wrote, by the same nearest label
    expected = pb.evaluate.dice(pb.read_labels(flat / "fixed_seg.nii.gz"), warped)
    for label, value in expected.items():
        assert float(found["dice", str(label)]["value"]) == pytest.approx(value)
    assert found["dice", "1"]["name"] == "RV"
    assert float(found["dice", "mean"]["before"]) < float(found["dice", "mean"]["value"])
    assert float(found["ncc", ""]["value"]) > float(found["ncc", ""]["before"])  # the images are where they were
    tree = json.loads((tmp_path / "o.json").read_text())
    assert tree["figures"][0]["measure"] == "dice"
    assert {f["measure"] for f in tree["figures"]} <= set(tree["definitions"])


def test_a_known_field_landmarks_and_the_way_back(run, result, flat, tmp_path):
    space = pb.read_image(flat / "fixed.nii.gz").space
    found = pb.read_transform(result / "transform.h5")
    pb.write_displacement(pb.Affine.translation([3.0, 4.0]) @ found, space, tmp_path / "truth.nii.gz")
    points = pb.read_points(flat / "points.csv")
    pb.write_points(pb.Points(found(points.world) + 1.0), tmp_path / "moved.csv")
    pb.write_transform(found.inverse(), tmp_path / "back.h5", onto=space)
    pb.write_image(pb.Image(torch.ones(1, *space.shape), space), tmp_path / "mask.nii.gz")
    answer = run("evaluate", result, "--truth", tmp_path / "truth.nii.gz", "--mask", tmp_path / "mask.nii.gz",
                 "--fixed-points", flat / "points.csv", "--moving-points", tmp_path / "moved.csv",
                 "--backward", tmp_path / "back.h5", "--csv", tmp_path / "o.csv")  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    figures = {key: float(row["value"]) for key, row in values(tmp_path / "o.csv").items()}
    for part in ("mean", "median", "p95", "max"):
        assert figures[f"epe_{part}_mm", ""] == pytest.approx(5, abs=1e-3)
        assert figures[f"tre_{part}_mm", ""] == pytest.approx(math.sqrt(2), abs=1e-3)
    assert figures["inverse_mean_mm", ""] < 0.5
    assert figures["tre_within_2mm_percent", ""] == 100


def test_a_transform_of_another_program(run, flat, labels, tmp_path):
    pb.write_transform(pb.Affine.identity(2), tmp_path / "t.tfm")
    asked = run("evaluate", tmp_path / "t.tfm", *labels)
    assert asked.code == 2
    assert "--fixed" in asked.err
    images = ["--fixed", flat / "fixed.nii.gz", "--moving", flat / "moving.nii.gz"]
    answer = run("evaluate", tmp_path / "t.tfm", *labels, *images, "--csv", tmp_path / "o.csv")
    assert answer.code == 0
    row = values(tmp_path / "o.csv")["dice", "mean"]
    assert row["before"] == row["value"]


def test_two_label_maps(run, result, flat, tmp_path):
    answer = run("evaluate", flat / "fixed_seg.nii.gz", result / "seg_warped.nii.gz", "--labels", "1,3")
    assert (answer.code, answer.err) == (0, "")
    assert [line.split()[0] for line in answer.out.splitlines()] == ["label", "1", "3", "mean"]

    fixed = pb.read_labels(flat / "fixed_seg.nii.gz")
    data = fixed.data.clone()
    data[data == 2] = 0
    pb.write_image(pb.Labels(data, fixed.space), tmp_path / "less.nii.gz")
    missing = run("evaluate", flat / "fixed_seg.nii.gz", tmp_path / "less.nii.gz")
    assert missing.code == 0
    assert "label 2 is only in the first map" in missing.out
    (line,) = (line for line in missing.out.splitlines() if line.startswith("2 "))
    assert line.split() == ["2", "-", "-", "-", "-", "-"]


def test_other_grids_are_refused_or_carried_over(run, flat, tmp_path):
    fixed = pb.read_labels(flat / "fixed_seg.nii.gz")
    finer = fixed.space.resized([2 * n for n in fixed.space.shape])
    pb.write_image(pb.apply(pb.Affine.identity(2), fixed, onto=finer), tmp_path / "finer.nii.gz")
    words = ["evaluate", flat / "fixed_seg.nii.gz", tmp_path / "finer.nii.gz"]
    refused = run(*words)
    assert refused.code == 2
    assert "--resample" in refused.err
    answer = run(*words, "--resample", "--csv", tmp_path / "o.csv")
    assert float(values(tmp_path / "o.csv")["dice", "mean"]["value"]) > 0.95
    assert answer.code == 0


def test_a_list_of_cases_and_two_methods(run, result, flat, tmp_path):
    pb.write_transform(pb.Affine.identity(2), tmp_path / "none.tfm")
    seg, other = flat / "seg.nii.gz", flat / "fixed_seg.nii.gz"
    head = "case,result,fixed,fixed_labels,moving_labels,warped_labels\n"
    first = [f"one,none.tfm,{flat}/fixed.nii.gz,{other},{seg},", f"two,,,{other},,{result}/seg_warped.nii.gz"]
    second = [f"one,{result},,{other},{seg},", f"two,,,{other},,{other}", "three,absent,,,,"]
    for name, lines in (("a", first), ("b", second)):
        (tmp_path / f"{name}.csv").write_text(head + "\n".join(lines) + "\n")
    one = run("evaluate", tmp_path / "a.csv", "--out", tmp_path / "a")
    assert one.code == 0, one.err
    two = run("evaluate", tmp_path / "b.csv", "--out", tmp_path / "b", "--label-names", "1=RV")
    assert two.code == 2  # one case could not be read; the others are evaluated all the same
    assert "not evaluated: three: " in two.out
    assert "1 RV" in two.out
    summary = values(tmp_path / "b" / "summary.csv")
    assert (summary["dice", "mean"]["cases"], summary["dice", "mean"]["high"]) == ("2", "1.0")
    words = ["compare", tmp_path / "a", tmp_path / "b" / "figures.csv", "--measures", "dice"]
    both = run("evaluate", *words, "--csv", tmp_path / "c.csv", "--json", tmp_path / "c.json")
    assert (both.code, both.err) == (0, "")
    assert "2/2" in both.out
    found = values(tmp_path / "c.csv")["dice", "mean"]
    assert float(found["difference"]) > 0
    assert float(found["p"]) == 0.5
    assert len(json.loads((tmp_path / "c.json").read_text())) == 4


def test_mistakes_are_one_line_that_helps(run, result, flat, tmp_path):
    image = flat / "fixed.nii.gz"
    (tmp_path / "cases.csv").write_text("name,result\na,b\n")
    (tmp_path / "twice.csv").write_text("case,result\na,b\na,c\n")
    for words, said in (
        ([result, "--fixed-labels", flat / "seg.nii.gz"], "only fixed labels"),
        ([image, image], "labels must be whole numbers"),
        ([flat / "seg.nii.gz", flat / "seg.nii.gz", "--labels", "1,x"], "whole numbers"),
        ([flat / "seg.nii.gz", flat / "seg.nii.gz", "--label-names", "RV"], "label=name"),
        ([result, "--out", tmp_path / "x"], "list of cases"),
        ([image, image, image], "two label maps"),
        (["compare", image], "two tables"),
        (["compare", image, image, "--measures", "dise"], "there is no measure 'dise'"),
        ([tmp_path / "cases.csv"], "must name columns"),
        ([tmp_path / "twice.csv"], "a case of its own"),
        ([tmp_path / "absent"], "absent"),
        ([result, "--truth", tmp_path / "absent.nii.gz"], "no such file"),
        ([result, "--mask", flat / "gone.nii.gz"], "no such file"),
    ):
        answer = run("evaluate", *words)
        assert answer.code == 2, (words, answer)
        assert said in answer.err, (words, answer.err)
        assert len(answer.err.strip().splitlines()) == 1


def test_images_that_have_gone_cost_the_similarities_only(run, flat, quick, tmp_path):
    for name in ("fixed", "moving"):
        (tmp_path / f"{name}.nii.gz").write_bytes((flat / f"{name}.nii.gz").read_bytes())
    words = [tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", "--out", tmp_path / "r", "--recipe", quick, "-q"]
    assert run("register", *words).code == 0
    (tmp_path / "moving.nii.gz").unlink()
    answer = run("evaluate", tmp_path / "r")
    assert answer.code == 0
    assert "similarities are left out" in answer.err
    assert "NCC" not in answer.out
    assert "folding, %" in answer.out
    shifted = pb.Image.of(np.ones((44, 40)), spacing=3.0)
    pb.write_image(shifted, tmp_path / "moving.nii.gz")
    wrong = run("evaluate", tmp_path / "r", "--fixed", tmp_path / "moving.nii.gz")
    assert wrong.code == 2
    assert "not the one of" in wrong.err


def test_of_a_labelled_cine_the_registered_frames_are_measured(run, flat, quick, tmp_path):
    images = [nib.load(flat / f"{name}.nii.gz") for name in ("fixed", "moving")]
    maps = [nib.load(flat / f"{name}.nii.gz") for name in ("fixed_seg", "seg")]
    for name, pair in (("cine", images), ("labels", maps)):
        frames = np.stack([np.asanyarray(one.dataobj)[..., None] for one in pair], axis=-1)
        nib.save(nib.Nifti1Image(frames, pair[0].affine), tmp_path / f"{name}.nii.gz")
    cine = [tmp_path / "cine.nii.gz"] * 2
    chosen = ["--fixed-frame", "0", "--moving-frame", "1", "--recipe", quick, "-q"]
    assert run("register", *cine, *chosen, "--out", tmp_path / "r").code == 0
    labels = tmp_path / "labels.nii.gz"
    words = ["--fixed-labels", labels, "--moving-labels", labels, "--csv", tmp_path / "o.csv"]
    answer = run("evaluate", tmp_path / "r", *words)
    assert answer.code == 0, answer.err
    row = values(tmp_path / "o.csv")["dice", "mean"]
    same = pb.evaluate.mean_dice(pb.read_labels(flat / "fixed_seg.nii.gz"), pb.read_labels(flat / "seg.nii.gz"))
    assert float(row["before"]) == pytest.approx(same)
    assert float(row["value"]) > float(row["before"])

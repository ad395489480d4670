"""The accuracy table from its pairs to its page, with pullback alone and on what needs no data."""

import csv
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pullback as pb

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "benchmarks" / "accuracy", ROOT / "benchmarks" / "peers"]


@pytest.fixture
def scripts(monkeypatch):
    """A way to import one of the scripts, which are no package; what they import is forgotten afterwards."""
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)

    def load(name):
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if any(str(folder) in file for folder in FOLDERS):
            del sys.modules[name]


def test_from_pairs_to_page(tmp_path, scripts, capsys):
    table = scripts("table")

    def run(*words):
        table.main([str(word) for word in words])
        return capsys.readouterr().out

    places = ["--work", tmp_path / "work", "--results", tmp_path / "results", "--data", tmp_path]
    words = ["run", "phantom", "acdc", "--limit", 1, "--tools", "pullback", "--threads", 1, *places]
    said = run(*words)
    assert "acdc: its images are not in" in said
    with (tmp_path / "results" / "accuracy_phantom.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["1", "2", "3", "mean"]
    whole = rows[-1]
    assert (whole["status"], whole["method"], whole["recipe"]) == (
        "done",
        "pullback:cardiac-multimodal",
        "cardiac-multimodal",
    )
    assert 0 < float(whole["epe_mm"]) < 0.3 * float(whole["epe_before_mm"])
    assert float(whole["dice"]) > float(whole["dice_before"])
    assert whole["fold_percent"] == "0"
    assert [row["name"] for row in rows[:-1]] == ["RV", "Myo", "LV"]
    assert "done " not in run(*words)  # what has a row is not run again
    assert "phantom" in run("list", *places)

    page = tmp_path / "docs" / "accuracy.md"
    page.parent.mkdir()
    page.write_text((ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8"), encoding="utf-8")
    run("page", "--page", page, *places)
    text = page.read_text(encoding="utf-8")
    assert "| pullback, cardiac-multimodal | 1 |" in text
    assert (page.parent / "images" / "accuracy_phantom.svg").exists()
    assert (page.parent / "images" / "accuracy_phantom.png").exists()


def test_the_truth_is_judged_to_be_true(tmp_path, scripts):
    files, known, measure = scripts("case_files"), scripts("known_pairs"), scripts("measure")
    name, make = next(known.phantoms(tmp_path))
    files.write(make(), tmp_path / name, "full", "cardiac")
    case = files.read(tmp_path / name)
    *labels, whole = measure.rows(case, case.truth, {})
    assert whole["epe_mm"] == whole["corner_mm"] == 0
    assert whole["epe_before_mm"] > 2
    assert min(row["dice"] for row in labels) > 0.95
    assert whole["ncc"] > 0.95 > whole["ncc_before"]


def test_a_tools_vectors_are_read_along_their_own_axes(tmp_path, scripts):
    """ITK's vectors at every voxel, on an oblique grid: the same map as the one that they were made from."""
    files, measure = scripts("case_files"), scripts("measure")
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = turn @ torch.diag(torch.tensor([4.0, 1.5, 1.2], dtype=torch.float64))
    image = pb.Image(torch.rand(1, 5, 7, 6), pb.Space((5, 7, 6), matrix))
    truth = pb.Affine.rigid(angles_degrees=(5.0, -8.0, 12.0), centre=image.space.centre)
    files.write(files.Case(image, image, truth=truth), tmp_path, "rigid", "picture")
    pb.write_displacement(truth, image.space, tmp_path / "displacement.nii.gz")
    case = files.read(tmp_path)
    found = measure.read_transform(tmp_path, tmp_path, case)
    assert float((found.field - truth.displace(image.space)).norm(dim=0).max()) < 1e-3
    assert measure.corner_error(found, case) < 1e-3
    shifted = pb.Affine.translation([3.0, 0.0, 4.0]) @ truth
    assert measure.corner_error(shifted, case) == pytest.approx(5, abs=1e-3)


def test_overlapping_labels_have_an_organ_and_landmarks(scripts):
    files, measure = scripts("case_files"), scripts("measure")
    data = torch.zeros(2, 20, 20, dtype=torch.int16)
    data[0, 5:15, 5:15], data[1, 8:10, 8:10] = 1, 1
    maps = [pb.Labels.of(one) for one in data]
    moved = [pb.Labels.of(one.roll(2, dims=0)) for one in data]
    image = pb.Image.of(torch.rand(20, 20))
    case = files.Case(image, image, tuple(zip(maps, moved, strict=True)))
    gland, landmark, whole = measure.rows(case, pb.Affine.translation([0.0, -1.0]), {"0": "gland"})
    assert (gland["name"], landmark["name"]) == ("gland", "landmark")
    assert whole["dice"] == gland["dice"] == pytest.approx(0.9)
    assert whole["tre_mm"] == pytest.approx(1.0)
    assert whole["tre_before_mm"] == pytest.approx(2.0)
    assert landmark["dice"] == pytest.approx(0.5)


def test_newest_rows_count_and_successes_are_of_all(scripts):
    page, sets = scripts("accuracy_page"), scripts("sets")
    row = {"set": "capture_3d", "label": "mean", "status": "done", "seconds": "3", "date": "1"}
    rows = [row | {"method": "pullback:rigid", "case": f"{angle}-0", "corner_mm": far} for angle, far in
            ((10, "9"), (30, "7.5"), (90, ""))]  # fmt: skip
    rows.append(rows[0] | {"date": "2", "corner_mm": "0.2"})
    rows += [old | {"method": "greedy", "corner_mm": "1.5"} for old in rows[:2]]
    kept = page.newest(rows)
    assert len(kept) == 5
    one = sets.BY_NAME["capture_3d"]
    text = page.summary(one, kept)
    assert "| pullback, rigid | 3 | 3.85 | 1 of 3 | 7.5 (30-0) |" in text
    assert "| Greedy, rigid | 2 | 1.5 | 2 of 2 |" in text
    assert "| pullback, rigid | 1 of 1 | 0 of 1 | 0 of 1 |" in page.by_angle(one, kept)
    assert "| 1 of 2 |" in page.versus(one, kept)


def test_a_lost_label_counts_as_no_overlap(scripts):
    files, measure = scripts("case_files"), scripts("measure")
    data = torch.zeros(20, 20, dtype=torch.int16)
    data[5:15, 5:15], data[0:2, 0:2] = 1, 2
    image, labels = pb.Image.of(torch.rand(20, 20)), pb.Labels.of(data)
    case = files.Case(image, image, ((labels, labels),))
    *labels, whole = measure.rows(case, pb.Affine.translation([-3.0, -3.0]), {})
    assert [row["dice"] for row in labels] == [pytest.approx(0.49), 0.0]
    assert whole["dice"] == pytest.approx(0.245)
    assert whole["labels_lost"] == 1


def test_every_tool_of_a_set_has_a_script_a_name_and_an_environment(scripts):
    sets, names, peers = scripts("sets"), scripts("results").NAMES, scripts("run").SCRIPTS
    packages = scripts("environments").PACKAGES
    assert {*packages} == {*peers} - {"pullback"}
    for one in sets.SETS:
        for tool in one.tools:
            script = tool.partition(":")[0]
            assert (ROOT / "benchmarks" / "peers" / "tools" / f"with_{script}.py").exists()
            assert script in peers
            assert one.kind == "rigid" or tool in names
    dense_only = [one.name for one in sets.SETS if "convexadam" in one.tools and one.kind != "full"]
    assert dense_only == []


def test_convexadam_declines_what_it_cannot_do(tmp_path, scripts):
    files, known = scripts("case_files"), scripts("known_pairs")
    _, make = next(known.phantoms(tmp_path))
    files.write(make(), tmp_path / "pair", "full", "cardiac")
    script = ROOT / "benchmarks" / "peers" / "tools" / "with_convexadam.py"
    words = [sys.executable, str(script), "register", str(tmp_path / "pair"), str(tmp_path), "--kind", "full"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "3-D and dense only" in done.stderr


def test_the_study_of_recipes_judges_there_and_back(scripts):
    study = scripts("recipe_study")
    found = study.judge(next(study.hearts()), "translation", back=True)
    assert 0 < found["error mm"] < found["before mm"]
    assert found["swap mm"] < 1
    assert found["volume off %"] > 1  # a shift changes no volume, the truth does


def test_a_breath_moves_the_base_of_the_lungs_and_no_wall(scripts):
    study = scripts("recipe_study")
    inside = torch.zeros(40, 60, 60, dtype=torch.bool)
    inside[5:35, 25:36, 25:36] = True
    field = study.breath(inside, pb.Space.of_array((40, 60, 60), (5.0, 5.0, 5.0)), 30.0, 8.0)
    assert float(field[:2].abs().max()) == 0
    assert float(field[2].min()) == pytest.approx(-30)
    base, tip, wall = field[2, 5, 30, 30], field[2, 35, 30, 30], field[2, 5, 5, 5]
    assert base < -25
    assert abs(float(tip)) < 5
    assert float(wall) == 0

"""The comparison with other tools works end to end, with pullback alone and on pairs of a few voxels."""

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "peers"


def run(script: str, *words: object) -> str:
    line = [sys.executable, str(SCRIPTS / script), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def scripts(monkeypatch):
    """A way to import one of the scripts, which are no package."""
    monkeypatch.syspath_prepend(str(SCRIPTS))

    def load(name: str):
        spec = importlib.util.spec_from_file_location(f"peers_{name}", SCRIPTS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look for their module
        spec.loader.exec_module(module)
        return module

    return load


def test_from_pair_to_page(tmp_path):
    run("pairs.py", tmp_path / "pairs", "synthetic", 64, 56)
    run("run.py", tmp_path / "pairs", tmp_path / "work", "--tools", "pullback", "--threads", 1, "--cold")
    run("score.py", tmp_path / "work", tmp_path / "peers.csv")
    with (tmp_path / "peers.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "done"
    assert float(row["error_mean_voxels"]) < 0.5 * float(row["before_mean_voxels"])
    assert float(row["ncc"]) > float(row["ncc_before"])
    assert float(row["seconds"]) > 0
    assert 50 < float(row["peak_mb"]) < 5000

    run("score.py", tmp_path / "work", tmp_path / "peers.csv")  # what has been judged is not judged again
    assert len((tmp_path / "peers.csv").read_text().splitlines()) == 2

    page = tmp_path / "benchmarks.md"
    page.write_text((ROOT / "docs" / "benchmarks.md").read_text())
    places = ["--results", tmp_path, "--page", page, "--pictures", tmp_path / "images"]
    run("page.py", *places, "--large", "synthetic_64x56")
    text = page.read_text()
    assert f"| pullback | {float(row['seconds']):.3g} (1) | 1.0 x |" in text
    assert (tmp_path / "images" / "benchmark_trade.svg").exists()


def test_the_truth_has_no_error_and_pulls_moving_onto_fixed(tmp_path, scripts):
    pairs, score, files = scripts("pairs"), scripts("score"), scripts("pair_files")
    pair = tmp_path / "pair"
    files.write_known_warp(pair, pairs.synthetic((40, 44, 36)), (1.0, 1.5, 2.0), group="synthetic")
    truth = score.read_truth(pair)
    exact = score.score(pair, truth)
    assert exact["error_mean_voxels"] == 0
    assert exact["fold_percent"] == 0
    assert exact["ncc"] > 0.97 > exact["ncc_before"]
    wrong_way = score.score(pair, -truth)
    assert wrong_way["ncc"] < exact["ncc_before"]
    assert wrong_way["error_mean_voxels"] == pytest.approx(2 * exact["before_mean_voxels"], rel=1e-4)


def test_a_file_of_itk_is_read_along_its_own_axes(tmp_path, scripts):
    score, files = scripts("score"), scripts("pair_files")
    pair = tmp_path / "pair"
    rng = np.random.default_rng(0)
    fixed, labels = rng.random((8, 9, 7)).astype(np.float32), np.zeros((8, 9, 7), np.int16)
    labels[2:5, 3:6, 2:5] = 7
    moved = [np.roll(a, (1, 2, -1), axis=(0, 1, 2)) for a in (fixed, labels)]
    files.write_labelled(pair, "full", (fixed, moved[0]), (labels, moved[1]), (1.0, 2.0, 3.0), group="cardiac")
    # The grid of these pairs runs along left and posterior, so steps along its axes are steps along those of LPS.
    mm = np.broadcast_to(np.array([1.0, 4.0, -3.0], np.float32), (*fixed.shape, 3)).reshape(8, 9, 7, 1, 3)
    files.save(tmp_path / "displacement.nii", mm, files.affine(fixed.shape, (1.0, 2.0, 3.0)))
    found = score.read_vectors(tmp_path, pair)
    np.testing.assert_allclose(found, np.broadcast_to([1, 2, -1], found.shape), atol=1e-6)
    judged = score.score(pair, found)
    assert judged["dice"] == 1
    assert judged["labels"] == 1
    assert judged["dice_before"] < 0.5


def test_a_turned_over_map_is_seen(scripts):
    score = scripts("score")
    vectors = np.zeros((9, 9, 2), np.float32)
    assert score.folding(vectors)["fold_percent"] == 0
    vectors[..., 0] = -2 * np.arange(9)[:, None]
    assert score.folding(vectors) == {"fold_percent": 100, "smallest_jacobian": -1}


def test_the_median_and_the_newest_count(scripts):
    results = scripts("results")
    row = {"pair": "a", "tool": "greedy", "group": "g", "threads": "2", "voxels": "8", "status": "done", "peak_mb": "5"}
    times = (("2026-01-01", "0", "9"), ("2026-01-02", "0", "1"), ("2026-01-02", "1", "2"), ("2026-01-02", "2", "4"))
    (found,) = results.results(row | {"date": d, "repeat": r, "seconds": s} for d, r, s in times)
    assert (found.seconds, found.repeats) == (2, 3)


def test_versions_of_pullback_do_not_mix(scripts):
    """One run of today's is no median with two of yesterday's; the peers stay what they are."""
    results = scripts("results")
    row = {"pair": "a", "group": "g", "threads": "2", "voxels": "8", "status": "done", "peak_mb": "5"}
    times = (("01", "old", "0", "9"), ("02", "old-dirty", "1", "9"), ("03", "new", "0", "3"))
    rows = [row | {"date": d, "commit": c, "repeat": r, "seconds": s} for d, c, r, s in times]
    found = {r.tool: r for tool in ("greedy", "pullback") for r in results.results([x | {"tool": tool} for x in rows])}
    assert {tool: (r.seconds, r.repeats) for tool, r in found.items()} == {"greedy": (6, 2), "pullback": (3, 1)}


def test_every_pair_says_what_it_is(tmp_path):
    run("pairs.py", tmp_path, "synthetic", 32, 36, 34, "--seed", 2, "--name", "small")
    facts = json.loads((tmp_path / "small" / "pair.json").read_text())
    assert facts["shape"] == [32, 36, 34]
    assert facts["smallest_jacobian"] > 0.3
    assert 0 < facts["mean_warp_voxels"] < facts["largest_warp_voxels"] < 2

"""The benchmark of the GPU path runs on a CPU too, on a few voxels, and finds every row where it should be."""

import csv
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_checks_and_times_every_row_it_knows(tmp_path):
    out = tmp_path / "gpu.csv"
    words = ["--device", "cpu", "--sizes", "12x13x14", "--check-size", "9x12x11", "--parts", "check", "time"]
    line = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *words, "--out", str(out)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    with out.open() as file:
        rows = list(csv.DictReader(file))
    checks = [row for row in rows if row["part"] == "check"]
    assert len(checks) >= 40
    plain = {row["name"]: float(row["error"]) for row in checks if row["row"] == "reference"}
    fast = {row["name"]: float(row["error"]) for row in checks if row["row"] == "cpu"}
    assert all(fast[name] <= 3 * plain[name] + 1e-5 for name in fast)  # slopes jump where a place rounds to a voxel
    assert sum(error < 1e-5 for error in fast.values()) > 0.8 * len(fast)
    assert not [row for row in checks if "WRONG" in row["note"]]
    timed = [row for row in rows if row["part"] == "time" and row["name"] != "copy"]
    assert {row["row"] for row in timed} == {"cpu", "reference"}
    assert all(float(row["ms"]) > 0 for row in timed)

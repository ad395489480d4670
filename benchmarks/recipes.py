"""Seconds of every recipe on two synthetic hearts, for the table of docs/recipes.md.

    python benchmarks/recipes.py

One thread in a running program, the median of three: a slice of 192 x 192 voxels and a stack of 12 x 192 x 192, each of
the heart after a known warp, T2 against cine where the recipe is for two contrasts. It writes
benchmarks/results/recipes.csv and the column of the table.
"""

from __future__ import annotations

import csv
import re
import statistics
import warnings
from pathlib import Path

import pullback as pb
from pullback.phantom import heart_pair
from pullback.registration.recipes import RECIPES

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "recipes.csv", ROOT / "docs" / "recipes.md"
TWO_CONTRASTS = ("multimodal", "cardiac-multimodal", "prostate-mr-us")
SERIES = ("cine", "group")
"""Their work is a whole series; the table says what they take in words of its own."""
REPEATS = 3


def seconds(recipe: str, dimension: int) -> float:
    """The median wall time of all stages."""
    pair = heart_pair(dimension, moving_contrast="t2" if recipe in TWO_CONTRASTS else "cine", seed=1)
    runs = [pb.register(pair.fixed, pair.moving, recipe, threads=1) for _ in range(REPEATS + 1)]
    return statistics.median(run.seconds for run in runs[1:])  # the first loads what is used


def main() -> None:
    warnings.simplefilter("ignore", pb.PullbackWarning)
    found = {name: (seconds(name, 2), seconds(name, 3)) for name in RECIPES if name not in SERIES}
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("recipe", "slice_seconds", "stack_seconds"))
        rows.writerows((name, f"{flat:.2f}", f"{deep:.2f}") for name, (flat, deep) in found.items())
    lines = PAGE.read_text(encoding="utf-8").splitlines(keepends=True)
    for k, line in enumerate(lines):
        named = re.match(r"\| `([\w-]+)` \|", line)
        if named and named[1] in found:
            cells = line.split(" | ")
            cells[3] = " / ".join(f"{value:.1f}" for value in found[named[1]])
            lines[k] = " | ".join(cells)
    PAGE.write_text("".join(lines), encoding="utf-8")
    for name, (flat, deep) in found.items():
        print(f"{name:20s} {flat:6.2f} {deep:6.2f}")


if __name__ == "__main__":
    main()

"""The CSVs of the comparison, read and brought together: medians over repeats, means over pairs."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NAMES = {
    "pullback": "pullback",
    "pullback:fast": "pullback, fast",
    "pullback:100x50x10": "pullback, 100x50x10 steps",
    "greedy": "Greedy, NCC radius 2",
    "greedy:r4": "Greedy, NCC radius 4",
    "greedy:float": "Greedy, single precision",
    "greedy:mi": "Greedy, mutual information",
    "greedy:long": "Greedy, 100x100x40 steps",
    "ants": "ANTs SyN, CC",
    "ants:mid": "ANTs SyN, CC, not at full resolution",
    "ants:default": "ANTs SyN, antspyx default",
    "elastix": "elastix, B-splines",
    "simpleitk": "SimpleITK, demons",
    "dipy": "DIPY SyN, CC",
    "dipy:long": "DIPY SyN, CC, 100x50x25 steps",
    "fireants": "FireANTs, greedy, CC",
    "fireants:mi": "FireANTs, greedy, mutual information",
    "convexadam": "ConvexAdam, MIND",
}
Row = dict[str, str]


@dataclass(frozen=True)
class Result:
    """What one tool did on one pair with one number of threads; measures are of the first repeat.

    Attributes:
        tool: as `run.py` names it.
        pair: name of the pair.
        group: what the pair belongs to.
        threads: how many it was given.
        voxels: of the fixed image.
        status: done, or what went wrong.
        seconds: median over repeats.
        repeats: how many.
        peak_mb: the largest over repeats.
        measures: whatever `score.py` could measure.
    """

    tool: str
    pair: str
    group: str
    threads: int
    voxels: int
    status: str
    seconds: float
    repeats: int
    peak_mb: float
    measures: dict[str, float]

    def get(self, measure: str) -> float | None:
        return self.measures.get(measure)


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def results(rows: Iterable[Row]) -> list[Result]:
    """One for each pair, tool and number of threads: of pullback the last version that was run, of others all repeats.

    Of a repeat that was run twice the later one counts.
    """
    newest: dict[tuple[str, ...], dict[str, Row]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row["date"]):
        known = newest[row["pair"], row["tool"], row["threads"]]
        if row["tool"].startswith("pullback") and known and _version(row) != _version(next(iter(known.values()))):
            known.clear()
        known[row["repeat"]] = row
    return [_together(repeats) for repeats in newest.values()]


def _version(row: Row) -> str:
    return row["commit"].removesuffix("-dirty")


def _together(repeats: dict[str, Row]) -> Result:
    first = repeats.get("0", next(iter(repeats.values())))
    done = [row for row in repeats.values() if row["status"] == "done"] or [first]
    skip = {"labels", "voxels", "threads", "repeat", "seconds", "cpu_seconds", "peak_mb"}
    return Result(
        first["tool"],
        first["pair"],
        first["group"],
        int(first["threads"]),
        int(first["voxels"]),
        first["status"],
        statistics.median(float(row["seconds"]) for row in done),
        len(done),
        max(float(row["peak_mb"]) for row in done),
        {key: float(value) for key, value in first.items() if key not in skip and _is_number(value)},
    )


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


def mean(found: Iterable[Result], measure: str) -> float | None:
    """The mean of a measure over pairs, `seconds` among them."""
    values = [r.seconds if measure == "seconds" else r.get(measure) for r in found]
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else None


def slope(points: list[tuple[float, float]]) -> float | None:
    """Of the straight line through points, least squares."""
    if len(points) < 2:
        return None
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope

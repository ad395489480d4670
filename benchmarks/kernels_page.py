"""The table of docs/design_notes/kernels.md, from benchmarks/results/kernels.csv.

python benchmarks/kernels.py --threads 1 2 --rows cpu --csv benchmarks/results/kernels.csv
python benchmarks/kernels.py --size 96 112 96 --threads 2 --csv benchmarks/results/kernels.csv
python benchmarks/kernels_page.py
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "design_notes" / "kernels.md"
LARGE, SMALL = "192x224x192", "96x112x96"
BEGIN, END = "<!-- table: kernels -->", "<!-- end -->"


def table() -> str:
    """A line for each kernel: time, how it grows with threads, the share of the copy, and the reference beside it."""
    with (ROOT / "benchmarks" / "results" / "kernels.csv").open(newline="", encoding="utf-8") as file:
        lines = {(r["kernel"], r["row"], r["size"], r["threads"]): r for r in csv.DictReader(file)}
    rows = [
        "| kernel | ms, one thread | two | of the copy, two | times torch, small |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in dict.fromkeys(key[0] for key in lines):
        one, two = (lines.get((name, "cpu", LARGE, n)) for n in "12")
        ours, torchs = (lines.get((name, row, SMALL, "2")) for row in ("cpu", "reference"))
        cells = [
            "" if one is None else f"{float(one['ms']):.3g}",
            "" if two is None else f"{float(two['ms']):.3g}",
            "" if two is None else f"{float(two['percent of copy']):.0f} %",
            "" if ours is None or torchs is None else f"{float(torchs['ms']) / float(ours['ms']):.1f}",
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(f"{BEGIN}.*?{END}", f"{BEGIN}\n{table()}\n{END}", text, count=1, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()

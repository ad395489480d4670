"""Write the tables of docs/benchmarks.md and draw its pictures, from the CSVs alone: no figure is typed by hand.

    python page.py [--results benchmarks/results] [--page docs/benchmarks.md] [--pictures docs/images]

In the page, what stands between `<!-- table: NAME -->` and `<!-- end -->` is replaced.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pictures import draw_sizes, draw_trade
from results import NAMES, Result, Row, mean, read, results, slope
from targets import verdicts

ROOT = Path(__file__).parents[2]
NOTHING = "_Not measured yet: `make bench-peers`._"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return NOTHING
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number as people read it: 3 figures, no powers of ten."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def main_threads(found: list[Result]) -> list[Result]:
    """Those of the comparison itself; other numbers of threads have a table of their own."""
    return [r for r in found if r.threads == max((q.threads for q in found), default=1)]


def of(found: list[Result], **wanted: str) -> list[Result]:
    rows = [r for r in main_threads(found) if all(getattr(r, key) == value for key, value in wanted.items())]
    order = list(NAMES)
    return sorted(rows, key=lambda r: order.index(r.tool) if r.tool in order else len(order))


def name(tool: str) -> str:
    return NAMES.get(tool, tool)


def known_warp(found: list[Result], pair: str) -> str:
    head = ("tool", "seconds", "of pullback's", "peak MB", "mean error", "median", "95 %", "folded %", "least Jacobian")
    rows = []
    own = next((r.seconds for r in of(found, pair=pair) if r.tool == "pullback"), None)
    for r in of(found, pair=pair):
        if r.status != "done":
            rows.append((name(r.tool), r.status, *["-"] * 7))
            continue
        times = f"{r.seconds / own:.1f} x" if own else "-"
        errors = [number(r.get(f"error_{k}_voxels")) for k in ("mean", "median", "p95")]
        shape = [number(r.get("fold_percent")), number(r.get("smallest_jacobian"))]
        rows.append((name(r.tool), f"{number(r.seconds)} ({r.repeats})", times, number(r.peak_mb), *errors, *shape))
    before = [r.get("before_mean_voxels") for r in of(found, pair=pair) if r.get("before_mean_voxels")]
    rows += [("_before_", "-", "-", "-", number(before[0]), *["-"] * 4)] if before else []
    return table(head, rows)


def linear(found: list[Result]) -> str:
    head = ("pair", "tool", "seconds", "peak MB", "mean error, mm", "correlation after")
    rows = []
    for pair in ("brain_rigid", "brain_affine", "brains_affine"):
        for r in of(found, pair=pair):
            after = r.get("ncc")
            measures = (number(r.get("error_mean_mm")), "-" if after is None else f"{after:.4f}")
            words = (pair.replace("_", ", "), name(r.tool), f"{number(r.seconds)} ({r.repeats})", number(r.peak_mb))
            rows.append((*words, *measures))
    return table(head, rows)


def labelled(found: list[Result]) -> str:
    head = ("set", "tool", "pairs", "mean Dice", "mean folded %", "correlation after")
    rows = []
    for group in ("oasis", "cardiac", "brain"):
        members = [r for r in of(found, group=group) if r.status == "done"]
        for tool in dict.fromkeys(r.tool for r in members):
            own = [r for r in members if r.tool == tool]
            dice, after = mean(own, "dice"), mean(own, "ncc")
            rows.append(
                (
                    group,
                    name(tool),
                    str(len(own)),
                    "-" if dice is None else f"{dice:.4f}",
                    number(mean(own, "fold_percent"), 2),
                    "-" if after is None else f"{after:.4f}",
                )
            )
        before = mean(members, "dice_before")
        rows += [(group, "_before_", "-", f"{before:.4f}", "-", "-")] if before else []
    return table(head, rows)


def sizes(found: list[Result]) -> str:
    cubes = sorted({r.voxels for r in found})
    head = ("tool", *[f"{round(v ** (1 / 3))}^3" for v in cubes], "microseconds a voxel", "bytes a voxel")
    rows = []
    for tool in [t for t in NAMES if any(r.tool == t for r in found)]:
        own = {r.voxels: r for r in found if r.tool == tool and r.status == "done"}
        cells = [f"{number(own[v].seconds)} s, {number(own[v].peak_mb)} MB" if v in own else "-" for v in cubes]
        cost = slope([(v, 1e6 * r.seconds) for v, r in own.items()])
        memory = slope([(v, 1e6 * r.peak_mb) for v, r in own.items()])
        rows.append((name(tool), *cells, number(cost), number(memory)))
    return table(head, rows)


def threads(found: list[Result]) -> str:
    rows = []
    for r in sorted(found, key=lambda r: (r.pair, r.threads)):
        if r.tool == "pullback" and len({q.threads for q in found if q.pair == r.pair and q.tool == r.tool}) > 1:
            rows.append((r.pair, str(r.threads), number(r.seconds)))
    return table(("pair", "threads", "seconds"), rows)


def reproducibility(rows: list[Row]) -> str:
    head = ("run", "threads", "pair", "same bits", "largest difference, mm", "99 %, mm", "mean, mm")
    newest = {(row["pair"], row["run"]): row for row in sorted(rows, key=lambda row: row["date"])}
    keys = ("run", "threads", "pair", "identical", "largest_mm", "p99_mm", "mean_mm")
    return table(head, [[row[key] for key in keys] for row in newest.values()])


def in_process(rows: list[Row]) -> str:
    head = ("work", "recipe", "threads", "median seconds", "mean error, voxels", "before")
    newest = {(row["task"], row["threads"]): row for row in sorted(rows, key=lambda row: row["date"])}
    keys = ("task", "recipe", "threads", "median_seconds", "error_mean_voxels", "before_mean_voxels")
    return table(head, [[row[key] for key in keys] for row in newest.values()])


def circumstances(rows: list[Row]) -> str:
    if not rows:
        return NOTHING
    machines = sorted({row["machine"] for row in rows})
    versions = sorted({row["version"] for row in rows if row["version"]}, key=str.lower)
    days = sorted({row["date"][:10] for row in rows})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    loads = [float(row["load"]) for row in rows if row.get("load")]
    load = f" Load of the machine when a run began: at most {max(loads):.1f}." if loads else ""
    return f"Machine: {'; '.join(machines)}. Versions: {', '.join(versions)}. Dates: {when}.{load}"


def pictures(path: Path, page: Path, what: str, draw: Callable[[Path], bool]) -> str:
    """Draw, and the words that show it."""
    if not draw(path):
        return NOTHING
    return f"![{what}]({path.resolve().relative_to(page.resolve().parent).as_posix()})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--large", default="synthetic_192x224x192", help="the pair of the first table")
    given = parser.parse_args()
    rows, size_rows = read(given.results / "peers.csv"), read(given.results / "sizes.csv")
    repeats, inside = read(given.results / "reproducibility.csv"), read(given.results / "in_process.csv")
    found, grown = results(rows), main_threads(results(size_rows))
    trade = [r for r in of(found, pair=given.large) if r.status == "done"]
    made = {
        "circumstances": circumstances(rows + size_rows),
        "synthetic": known_warp(found, given.large),
        "brain_warp": known_warp(found, "brain_warp"),
        "linear": linear(found),
        "labelled": labelled(found),
        "sizes": sizes(grown),
        "threads": threads(found),
        "reproducibility": reproducibility(repeats),
        "in_process": in_process(inside),
        "targets": table(
            ("target", "measured", "verdict"), verdicts(main_threads(found), given.large, grown, repeats, inside)
        ),
        "trade_picture": pictures(
            given.pictures / "benchmark_trade.svg",
            given.page,
            "Seconds, and error of the known warp, of each tool: shorter bars are better",
            lambda path: draw_trade(trade, path),
        ),
        "sizes_picture": pictures(
            given.pictures / "benchmark_sizes.svg",
            given.page,
            "Seconds and memory against number of voxels",
            lambda path: draw_sizes(grown, path),
        ),
    }
    text = given.page.read_text(encoding="utf-8")
    missing = {m[1] for m in TABLE.findall(text)} - made.keys()
    if missing:
        raise SystemExit(f"{given.page} asks for tables that are not made here: {', '.join(sorted(missing))}")
    given.page.write_text(TABLE.sub(lambda m: f"{m[1]}{made[m[2]]}\n{m[3]}", text), encoding="utf-8")


if __name__ == "__main__":
    main()

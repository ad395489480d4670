"""The accuracy table: pullback with one recipe for each kind of pair, and other tools, on pairs of many kinds.

    python benchmarks/accuracy/table.py list
    python benchmarks/accuracy/table.py run [SET ...] [--tools greedy ...] [--cases REGEX] [--limit N] [--threads 2]
    python benchmarks/accuracy/table.py page

`run` makes the pairs, runs the tools as `benchmarks/peers` does (same scripts, same environments: make bench-peers),
judges what they wrote and appends rows to benchmarks/results/accuracy_SET.csv; what has a row is not run again. `page`
writes the tables and pictures of docs/accuracy.md from the CSVs. Real images come from PULLBACK_TEST_DATA (default
../shared/data); sets whose images are not there are left out. Work goes to ACCURACY_WORK (default .bench/accuracy).
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "benchmarks" / "peers")]

import run as peers  # noqa: E402 - scripts in folders that are no packages
from accuracy_page import keep_picture, write_page  # noqa: E402
from case_files import read, write  # noqa: E402
from measure import COLUMNS, WHOLE, Row, read_transform, rows  # noqa: E402
from results import NAMES  # noqa: E402
from sets import BY_NAME, SETS, Set  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"


def csv_of(results: Path, one: Set) -> Path:
    return results / f"accuracy_{one.name}.csv"


def methods(one: Set, wanted: list[str] | None) -> list[str]:
    """The tools of a set, pullback first; `wanted` picks among them by their first word, or names others in full."""
    every = [f"pullback:{one.recipe}", *one.tools]
    if wanted is None:
        return every
    chosen = [tool for tool in every if tool.partition(":")[0] in wanted]
    return chosen + [tool for tool in wanted if ":" in tool and tool not in every]


def finished(path: Path) -> set[tuple[str, str]]:
    """(case, method) of which there is a row already."""
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            sys.exit(f"{path} has other columns than are written now; move it away")
        return {(row["case"], row["method"]) for row in reader if row["label"] == WHOLE}


def append(path: Path, made: list[Row]) -> None:
    fresh = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows({key: _plain(value) for key, value in row.items()} for row in made)


def _plain(value: str | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.5g}"


def run_case(one: Set, name: str, tool: str, given: argparse.Namespace) -> list[Row]:
    """Run one tool on one case and judge it."""
    folder = given.work / "pairs" / one.name / name
    out = given.work / "out" / one.name / name / re.sub(r"[^\w.-]", "-", tool)
    record = peers.run(tool, folder, out, given, given.versions[tool], 0)
    script, _, variant = tool.partition(":")
    recipe = variant if script == "pullback" else one.kind if one.kind == "rigid" else NAMES.get(tool, tool)
    same = ("date", "commit", "machine", "version", "threads", "status", "seconds")
    head: Row = {"set": one.name, "case": name, "method": tool, "recipe": recipe} | {key: record[key] for key in same}
    if record["status"] == "done":
        surroundings = os.environ | record["environment"]
        subprocess.run(record["convert"], capture_output=True, env=surroundings, cwd=out)
        try:
            case = read(folder)
            transform = read_transform(out, folder, case)
            judged = rows(case, transform, one.names)
            found = [head | row for row in judged if one.names or row["label"] == WHOLE]  # forty labels are too many
            if one.public and tool == f"pullback:{one.recipe}":
                keep_picture(given.work / "pictures" / one.name / f"{name}.npz", case, transform)
        except (OSError, ValueError) as error:  # one bad file must not hide all others
            found = [head | {"status": "unreadable", "label": WHOLE}]
            print(error)
    else:
        found = [head | {"label": WHOLE}]
    for path in out.iterdir():  # the log stays
        if path.name not in ("run.json", "log.txt"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


def run_set(one: Set, given: argparse.Namespace) -> None:
    path, count = csv_of(given.results, one), 0
    done = finished(path)
    for name, make in one.make(given.data):
        if not re.search(given.cases, name):
            continue
        count += 1
        if count > (one.most if given.limit is None else given.limit):
            break
        for tool in [tool for tool in methods(one, given.tools) if tool in given.versions]:
            if (name, tool) in done:
                continue
            folder = given.work / "pairs" / one.name / name
            if not (folder / "pair.json").exists():
                write(make(), folder, one.kind, one.group)
            made = run_case(one, name, tool, given)
            append(path, made)
            shown = {k: _plain(made[-1].get(k, math.nan)) for k in ("dice", "epe_mm", "tre_mm", "corner_mm", "ncc")}
            words = " ".join(f"{key} {value}" for key, value in shown.items() if value)
            print(f"{one.name:12s} {name:16s} {tool:24s} {made[-1]['status']:8s} {made[-1]['seconds']:8.1f} s  {words}",
                  flush=True)  # fmt: skip
    if count == 0:
        print(f"{one.name}: its images are not in {given.data}; left out")


def run_sets(given: argparse.Namespace) -> None:
    chosen = [BY_NAME[name] for name in given.sets] or list(SETS)
    given.machine, given.commit, given.kind, given.work = peers.machine(), peers.commit(), None, given.work.absolute()
    given.versions = peers.usable(list(dict.fromkeys(t for one in chosen for t in methods(one, given.tools))))
    for one in chosen:
        run_set(one, given)


def list_sets(given: argparse.Namespace) -> None:
    for one in SETS:
        cases = [name for name, _ in one.make(given.data)]
        there = f"{min(len(cases), one.most)} of {len(cases)} cases" if cases else "images not there"
        done = len(finished(csv_of(given.results, one)))
        print(f"{one.name:12s} {one.title:36s} {there:18s} {done:4d} done   {' '.join(methods(one, None))}")


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("list", "run", "page"))
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(BY_NAME))
    parser.add_argument("--tools", nargs="+", help="only these: pullback, greedy, ... (or with a variant: greedy:r4)")
    parser.add_argument("--cases", default="", metavar="REGEX")
    parser.add_argument("--limit", type=int, help="so many cases of each set")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-seconds", type=float, default=1800)
    parser.add_argument("--data", type=Path,
                        default=os.environ.get("PULLBACK_TEST_DATA", ROOT.parent / "shared" / "data"))  # fmt: skip
    parser.add_argument("--work", type=Path, default=os.environ.get("ACCURACY_WORK", ROOT / ".bench" / "accuracy"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "accuracy.md")
    given = parser.parse_intermixed_args(words)
    unknown = [name for name in given.sets if name not in BY_NAME]
    if unknown:
        sys.exit(f"there is no set {unknown[0]!r}; choose from {', '.join(BY_NAME)}")
    if given.what == "page":
        write_page(given.page, given.results, given.work / "pictures")
    else:
        {"list": list_sets, "run": run_sets}[given.what](given)


if __name__ == "__main__":
    main()

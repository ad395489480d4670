"""`pullback evaluate` of many cases, and of two methods side by side."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from pullback.cli.evidence import Evidence
from pullback.cli.options import UsageError
from pullback.errors import FileFormatError, InputError
from pullback.evaluate import Figures, to_csv
from pullback.evaluate.cohort import (
    compare_methods,
    comparison_record,
    comparison_table,
    read_figures,
    spreads,
    spreads_table,
)
from pullback.evaluate.measures import MEASURES
from pullback.io import atomic

FIGURES, SUMMARY = "figures.csv", "summary.csv"


def run_cases(listed: Path, out: Path | None, names: Mapping[str, str], only: frozenset[int], inverse: bool) -> int:
    """Evaluate every case of a list; print the summary, and write it and all figures into a folder."""
    found: list[Figures] = []
    failed: list[str] = []
    for case, evidence in read_cases(listed).items():
        try:
            found.append(evidence.figures(only, inverse).called(case, names))
        except InputError as error:
            failed.append(f"{case}: {error}")
    if not found:
        raise InputError(f"none of the {len(failed)} cases of {listed} could be evaluated; the first: {failed[0]}")
    over = spreads(found)
    print(spreads_table(over))
    noted = [f"{figures.case}: {note}" for figures in found for note in figures.notes if not note.startswith("TRE is")]
    print("\n".join(f"note: {line}" for line in [*noted, *(f"not evaluated: {line}" for line in failed)]))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / FIGURES, to_csv(found))
        write_text(out / SUMMARY, _csv([asdict(row) for row in over]))
        print(f"written to {out}: {FIGURES}, {SUMMARY}")
    return 2 if failed else 0


def run_compare(tables: Sequence[Path], measures: Sequence[str], csv_file: Path | None, json_file: Path | None) -> int:
    """Compare two tables of figures case by case."""
    if len(tables) != 2:
        raise UsageError(f"compare takes two tables of figures; got {len(tables)}")
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown:
        raise UsageError(f"there is no measure {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    both = [read_figures(path / FIGURES if path.is_dir() else path) for path in tables]
    found = compare_methods(both[0], both[1], measures)
    alone = len(both[0].keys() ^ both[1].keys())
    print(f"A: {tables[0]}\nB: {tables[1]}\n{comparison_table(found)}")
    if alone:
        print(f"note: {alone} cases are in only one of the tables and are left out")
    records = [comparison_record(row) for row in found]
    if csv_file is not None:
        write_text(csv_file, _csv(records))
    if json_file is not None:
        plain = [{k: None if v != v else v for k, v in record.items()} for record in records]  # NaN is not itself
        write_text(json_file, json.dumps(plain, indent=2) + "\n")
    return 0


def read_cases(path: Path) -> dict[str, Evidence]:
    """{case: what there is of it} from a CSV; paths are relative to its folder.

    Raises:
        FileFormatError: it cannot be read, names no case twice or not at all, or has columns that mean nothing.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    columns = [field.name for field in fields(Evidence)]
    head = [name.strip() for name in rows[0]] if rows else []
    unknown = [name for name in head if name not in ("case", *columns)]
    if "case" not in head or unknown:
        raise FileFormatError(f"{path}: the first line must name columns: case, and some of {', '.join(columns)}; got "
                              f"{', '.join(head) or 'nothing'}")  # fmt: skip
    cases: dict[str, Evidence] = {}
    for row in rows[1:]:
        cells = {name: cell.strip() for name, cell in zip(head, row, strict=False)}
        if not any(cells.values()):
            continue
        name = cells.pop("case")
        if not name or name in cases:
            raise FileFormatError(f"{path}: every line needs a case of its own; got {name!r} twice or not at all")
        cases[name] = Evidence(**{column: path.parent / cell for column, cell in cells.items() if cell})
    if not cases:
        raise FileFormatError(f"{path} lists no case")
    return cases


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    with atomic(path) as one:
        one.write_text(text, encoding="utf-8", newline="")


def _csv(records: Sequence[Mapping[str, object]]) -> str:
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v != v else v for k, v in record.items()} for record in records)
    return out.getvalue()

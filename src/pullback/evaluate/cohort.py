"""Figures of many cases: their mean and spread, and two methods side by side."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pullback.errors import FileFormatError, InputError
from pullback.evaluate.figures import COLUMNS, Figures
from pullback.evaluate.measures import MEAN, MEASURES
from pullback.evaluate.paired import PairedComparison, compare, holm
from pullback.evaluate.text import aligned, number, titled

Key = tuple[str, str]
"""(measure, label)."""


@dataclass(frozen=True)
class Spread:
    """One measure of one label over the cases.

    Attributes:
        measure: a key of MEASURES.
        label: a label, "mean", or "".
        name: of the label.
        cases: how many have it.
        missing: how many have none (NaN): not in the numbers that follow.
        before: mean before registration, over the cases that have one; NaN if none has.
        mean: over cases.
        sd: standard deviation of the sample (n - 1); NaN for one case.
        median: half of the cases are lower.
        low: the lowest.
        high: the highest.
    """

    measure: str
    label: str
    name: str
    cases: int
    missing: int
    before: float
    mean: float
    sd: float
    median: float
    low: float
    high: float


def spreads(cases: Iterable[Figures]) -> list[Spread]:
    """Mean and spread of every measure and label that some case has.

    Example:
        >>> from pullback.evaluate import Figure
        >>> a, b = (Figures((Figure("dice", value, label="1"),)) for value in (0.8, 0.9))
        >>> [(round(s.mean, 3), s.cases) for s in spreads([a, b])]
        [(0.85, 2)]
    """
    together: dict[Key, list[tuple[float, float]]] = {}
    names: dict[str, str] = {}
    for figures in cases:
        for row in figures.rows:
            numbers = row.value, math.nan if row.before is None else row.before
            together.setdefault((row.measure, row.label), []).append(numbers)
            names[row.label] = figures.name(row.label) or names.get(row.label, "")
    return [_spread(key, names[key[1]], numbers) for key, numbers in sorted(together.items(), key=_place)]


def spreads_table(found: Sequence[Spread]) -> str:
    """Spreads for a terminal."""
    head = ["measure", "label", "cases", "missing", "before", "mean", "SD", "median", "lowest", "highest"]
    rows = [
        [titled(s.measure), f"{s.label} {s.name}".strip(), str(s.cases), str(s.missing),
         *map(number, (s.before, s.mean, s.sd, s.median, s.low, s.high))]
        for s in found
    ]  # fmt: skip
    return aligned([head, *rows])


@dataclass(frozen=True)
class MethodComparison:
    """One measure of one label, of two methods on the same cases; see `PairedComparison`.

    Attributes:
        measure: a key of MEASURES.
        label: a label, "mean", or "".
        paired: the differences, second method less first.
        p_holm: p, raised for having tested every label of this measure (Holm); that of means and of measures without
            labels is their p.
    """

    measure: str
    label: str
    paired: PairedComparison
    p_holm: float


def compare_methods(first: Mapping[str, Mapping[Key, float]], second: Mapping[str, Mapping[Key, float]],
                    measures: Sequence[str] = ()) -> list[MethodComparison]:  # fmt: skip
    """Two methods, compared case by case, for each measure and label.

    Args:
        first: {case: {(measure, label): value}}, what `read_figures` gives.
        second: the same of the other method. Cases that only one of them has are left out.
        measures: which to compare; by default all of which one direction is better.

    Raises:
        InputError: they have no case, or no measure, in common.
    """
    cases = sorted(first.keys() & second.keys())
    if not cases:
        raise InputError("the two tables have no case in common; cases are matched by the column case")
    wanted = set(measures) or {key for key, measure in MEASURES.items() if measure.better}
    keys = {key for case in cases for key in first[case].keys() & second[case].keys() if key[0] in wanted}
    found = {}
    for key in sorted(keys, key=lambda key: _place((key, None))):
        a, b = ([table[case].get(key, math.nan) for case in cases] for table in (first, second))
        if any(math.isfinite(x) and math.isfinite(y) for x, y in zip(a, b, strict=True)):
            found[key] = compare(a, b)
    if not found:
        raise InputError(
            f"the two tables share {len(cases)} cases but none of the measures {', '.join(sorted(wanted))}"
        )
    return [MethodComparison(*key, paired, p) for (key, paired), p in zip(found.items(), _raised(found), strict=True)]


def comparison_table(found: Sequence[MethodComparison], names: tuple[str, str] = ("A", "B")) -> str:
    """Comparisons for a terminal."""
    head = ["measure", "label", "cases", *names, f"{names[1]} - {names[0]}", "95 % interval", "p", "p (Holm)", "effect",
            "better"]  # fmt: skip
    rows = []
    for c in found:
        q, better = c.paired, MEASURES[c.measure].better
        count = {"higher": str(q.b_greater), "lower": str(q.b_less)}.get(better, "-")
        interval = "-" if math.isnan(q.low) else f"{number(q.low)} to {number(q.high)}"
        numbers = [number(q.mean_a), number(q.mean_b), number(q.difference), interval, f"{q.p:.2g}", f"{c.p_holm:.2g}"]
        rows.append([titled(c.measure), c.label, str(q.cases), *numbers, f"{q.effect:+.2f}", f"{count}/{q.cases}"])
    return aligned([head, *rows])


def comparison_record(c: MethodComparison) -> dict[str, float | int | str]:
    """One comparison, flat, for CSV and JSON."""
    return {"measure": c.measure, "label": c.label, **asdict(c.paired), "p_holm": c.p_holm}


def read_figures(path: str | Path) -> dict[str, dict[Key, float]]:
    """{case: {(measure, label): value}} from a table of figures that `to_csv` made; empty values become NaN.

    Raises:
        FileFormatError: there is no such file, or it is not such a table.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        reader = csv.DictReader(text.splitlines())
        if not set(COLUMNS) - {"name", "unit", "before"} <= set(reader.fieldnames or ()):
            raise FileFormatError(f"cannot read {path}: a table of figures has the columns {', '.join(COLUMNS)}; this "
                                  f"one has {', '.join(reader.fieldnames or ['none'])[:100]}")  # fmt: skip
        table: dict[str, dict[Key, float]] = {}
        for row in reader:
            if row["measure"] in MEASURES:
                table.setdefault(row["case"], {})[row["measure"], row["label"]] = float(row["value"] or "nan")
        return table
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"cannot read {path}: it is no table of figures ({error})") from error


def _spread(key: Key, name: str, numbers: list[tuple[float, float]]) -> Spread:
    values, before = (np.array(column)[np.isfinite(column)] for column in zip(*numbers, strict=True))
    earlier = float(before.mean()) if before.size else math.nan
    if not values.size:
        return Spread(*key, name, 0, len(numbers), earlier, *[math.nan] * 5)
    figures = (values.mean(), values.std(ddof=1) if values.size > 1 else math.nan, np.median(values), values.min(),
               values.max())  # fmt: skip
    return Spread(*key, name, values.size, len(numbers) - values.size, earlier, *map(float, figures))


def _raised(found: Mapping[Key, PairedComparison]) -> list[float]:
    result = {key: paired.p for key, paired in found.items()}
    for measure in {measure for measure, _ in found}:
        family = [key for key in found if key[0] == measure and key[1] not in ("", MEAN)]
        for key, p in zip(family, holm([found[key].p for key in family]), strict=True):
            result[key] = p
    return list(result.values())


def _place(item: tuple[Key, object]) -> tuple[int, bool, int, str]:
    """The order of tables: measures as listed, labels by number, means last."""
    measure, label = item[0]
    return list(MEASURES).index(measure), label == MEAN, int(label) if label.lstrip("-").isdigit() else 0, label

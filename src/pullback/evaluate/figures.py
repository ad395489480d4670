"""Figures: one measured number each, with its unit, the label that it is of, and what it was before."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pullback.errors import InputError
from pullback.evaluate.measures import MEAN, MEASURES

COLUMNS = ("case", "measure", "label", "name", "unit", "before", "value")


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        measure: a key of MEASURES.
        value: NaN where it does not exist, such as the distance to a label that is not there.
        before: the same before registration: with the identity in the place of the transform; None where that says
            nothing.
        label: the label that it is of, "mean" for the mean over labels, "" where labels play no part.
    """

    measure: str
    value: float
    before: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Figures:
    """The figures of one case.

    Attributes:
        rows: one for each measure and label.
        notes: what a reader must know besides: labels that are missing, landmarks left out.
        names: of labels, for people.
        case: what was measured.
    """

    rows: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] | None = None
    case: str = ""

    def find(self, measure: str, label: object = "") -> Figure:
        """One figure.

        Args:
            measure: a key of MEASURES.
            label: a label, or "mean".

        Raises:
            InputError: it was not measured.
        """
        for row in self.rows:
            if row.measure == measure and row.label == str(label):
                return row
        have = ", ".join(dict.fromkeys(row.measure for row in self.rows))
        raise InputError(f"{measure!r} was not measured{f' for label {label}' if label else ''}; there is {have}")

    def __getitem__(self, measure: str) -> float:
        """The value of a measure, the mean over labels where it is of labels."""
        labelled = any(row.measure == measure and row.label for row in self.rows)
        return self.find(measure, MEAN if labelled else "").value

    def called(self, case: str, names: Mapping[str, str] | None = None) -> Figures:
        """The same figures under a name, with names for their labels."""
        return replace(self, case=case, names=self.names if names is None else names)

    def name(self, label: str) -> str:
        """What a label is called; nothing if it has no name."""
        return (self.names or {}).get(label, "")

    def records(self) -> Iterator[dict[str, str]]:
        """A line for each figure, as a CSV has it; full precision, empty where there is no number."""
        for row in self.rows:
            unit = MEASURES[row.measure].unit
            numbers = {"before": _number(row.before), "value": _number(row.value)}
            words = {"case": self.case, "measure": row.measure, "label": row.label, "name": self.name(row.label)}
            yield {**words, "unit": unit, **numbers}

    def tree(self) -> dict[str, Any]:
        """The same for JSON: NaN becomes null."""
        rows = [
            {"measure": row.measure, "label": row.label or None, "name": self.name(row.label) or None,
             "unit": MEASURES[row.measure].unit, "before": _finite(row.before), "value": _finite(row.value)}
            for row in self.rows
        ]  # fmt: skip
        meanings = {key: MEASURES[key].meaning for key in dict.fromkeys(row.measure for row in self.rows)}
        return {"case": self.case, "figures": rows, "notes": list(self.notes), "definitions": meanings}

    def __str__(self) -> str:
        from pullback.evaluate.text import table  # noqa: PLC0415 - text prints Figures

        return table(self)


def to_csv(several: Iterable[Figures]) -> str:
    """The figures of several cases, a line for each: columns case, measure, label, name, unit, before, value."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for figures in several:
        writer.writerows(figures.records())
    return out.getvalue()


def mean_known(values: Iterable[float]) -> float:
    """The mean of those that are numbers; NaN if none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else repr(float(value))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

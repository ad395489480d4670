"""Figures as a table for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pullback.evaluate.measures import MEAN, MEASURES

if TYPE_CHECKING:
    from pullback.evaluate.figures import Figure, Figures


def table(figures: Figures) -> str:
    """A row for each label and a line for every other figure; `before -> after` where both are known."""
    parts = [_labels(figures), _others(figures)]
    parts.append("\n".join(f"note: {note}" for note in figures.notes))
    return "\n".join(part for part in parts if part)


def number(value: float | None) -> str:
    """A number as people read it: four figures, no powers of ten unless it needs them."""
    if value is None or math.isnan(value):
        return "-"
    size = abs(value)
    if size >= 1e5 or 0 < size < 1e-4:
        return f"{value:.3g}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3}f}"


def titled(measure: str) -> str:
    """A measure and its unit."""
    found = MEASURES[measure]
    return f"{found.title}, {found.unit}" if found.unit else found.title


def aligned(rows: list[list[str]]) -> str:
    """Rows in columns, the first to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _labels(figures: Figures) -> str:
    rows = [row for row in figures.rows if row.label]
    if not rows:
        return ""
    measures = list(dict.fromkeys(row.measure for row in rows))
    cells = {(row.label, row.measure): _change(row) for row in rows}
    labels = list(dict.fromkeys(row.label for row in rows))
    head = ["label", *(titled(measure) for measure in measures)]
    body = [[_called(figures, label), *(cells.get((label, m), "") for m in measures)] for label in labels]
    return aligned([head, *body])


def _called(figures: Figures, label: str) -> str:
    name = figures.name(label)
    return f"{label} {name}" if name and label != MEAN else label


def _others(figures: Figures) -> str:
    rows = [[titled(row.measure), _change(row)] for row in figures.rows if not row.label]
    return aligned(rows) if rows else ""


def _change(row: Figure) -> str:
    if row.measure == "labels_lost":
        return f"{row.value:.0f}"
    return number(row.value) if row.before is None else f"{number(row.before)} -> {number(row.value)}"

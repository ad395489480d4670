"""Write the tables of docs/accuracy.md and draw its pictures, from the CSVs alone: no figure is typed by hand.

What stands between `<!-- table: SET -->` and `<!-- end -->` is replaced.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from accuracy_pictures import draw_cases, draw_dots
from case_files import Case
from page import TABLE, circumstances, number, table
from results import NAMES, Row, read
from sets import SETS, Set

from pullback.evaluate import compare
from pullback.transforms import Transform, resample

HIGHER = {"dice": True, "ncc": True, "epe_mm": False, "corner_mm": False}
TITLES = {
    "dice": "Dice",
    "ncc": "correlation",
    "epe_mm": "end-point error, mm",
    "corner_mm": "error of the corners, mm",
}
PLAIN_NAMES = {
    "greedy": "Greedy",
    "ants": "ANTs",
    "elastix": "elastix",
    "simpleitk": "SimpleITK",
    "dipy": "DIPY",
    "fireants": "FireANTs",
}
SUCCESS_MM = 2.0
NOTHING = "_Not measured yet: `make bench-accuracy`._"


def write_page(page: Path, results: Path, pictures: Path) -> None:
    """Fill in the page; pictures go to the folder images beside it."""
    rows = {one.name: newest(read(results / f"accuracy_{one.name}.csv")) for one in SETS}
    made = {one.name: section(one, rows[one.name], page, pictures / one.name) for one in SETS}
    ran = [row for found in rows.values() for row in found]
    made["circumstances"] = circumstances(ran) if ran else NOTHING
    made["overview"] = overview(rows)
    text = page.read_text(encoding="utf-8")
    missing = {m[1] for m in TABLE.findall(text)} - made.keys()
    if missing:
        raise SystemExit(f"{page} asks for tables that are not made here: {', '.join(sorted(missing))}")
    page.write_text(TABLE.sub(lambda m: f"{m[1]}{made[m[2]]}\n{m[3]}", text), encoding="utf-8")


def newest(rows: Iterable[Row]) -> list[Row]:
    """Of what was run twice the later row counts."""
    found = {(row["case"], row["method"], row["label"]): row for row in sorted(rows, key=lambda row: row["date"])}
    return list(found.values())


def wholes(rows: Sequence[Row], method: str) -> list[Row]:
    """The rows of whole cases of one method."""
    return [row for row in rows if row["label"] == "mean" and row["method"] == method]


def once(rows: Iterable[Row]) -> list[Row]:
    """One row for each case: what was before is the same for every tool."""
    return list({row["case"]: row for row in rows if row["status"] == "done"}.values())


def value(row: Row, key: str) -> float:
    return float(row.get(key) or "nan")


def methods(one: Set, rows: Sequence[Row]) -> list[str]:
    """In the order of the set."""
    there = list(dict.fromkeys(row["method"] for row in rows))
    order = [f"pullback:{one.recipe}", *one.tools]
    return sorted(there, key=lambda m: order.index(m) if m in order else len(order))


def called(one: Set, method: str) -> str:
    """A tool and what it ran, for people."""
    script, _, recipe = method.partition(":")
    if script == "pullback":
        return f"pullback, {recipe}"
    return f"{PLAIN_NAMES.get(script, script)}, {one.kind}" if one.kind == "rigid" else NAMES.get(method, method)


def section(one: Set, rows: Sequence[Row], page: Path, pictures: Path) -> str:
    """Everything about one set."""
    if not rows:
        return NOTHING
    parts = [summary(one, rows), versus(one, rows)]
    parts += [by_angle(one, rows)] if one.judge == "corner_mm" else []
    parts += [by_label(one, rows)] if one.names and one.judge in ("dice", "epe_mm") else []
    images = page.parent / "images"
    dots = images / f"accuracy_{one.name}.svg"
    groups = {called(one, m): [value(row, one.judge) for row in wholes(rows, m)] for m in methods(one, rows)}
    draw_dots(groups, _before(one, rows), TITLES[one.judge], dots)
    parts.append(f"![{TITLES[one.judge]} of every case, one column for each tool](images/{dots.name})")
    if one.public:
        parts.append(shown(one, rows, images / f"accuracy_{one.name}.png", pictures))
    return "\n\n".join(part for part in parts if part)


def summary(one: Set, rows: Sequence[Row]) -> str:
    """A row for each tool."""
    columns = {"dice": "Dice", "hd95_mm": "HD95, mm", "tre_mm": "TRE, mm", "epe_mm": "end-point error, mm",
               "ncc": "correlation", "fold_percent": "folded %", "labels_lost": "labels lost"}  # fmt: skip
    if one.judge == "corner_mm":
        columns = {"corner_mm": "error of the corners, mm, median"}
    here = [key for key in columns if any(row.get(key) for row in rows)]
    success = ["below 2 mm"] if one.judge in ("corner_mm", "epe_mm") else []
    head = ("tool", "cases", *(columns[key] for key in here), *success, "worst case")
    lines = []
    for method in methods(one, rows):
        found = wholes(rows, method)
        ran = [row for row in found if row["status"] == "done"]
        cells = [_mean(ran, key) for key in here]
        below = sum(value(row, one.judge) < SUCCESS_MM for row in found)
        cells += [f"{below} of {len(found)}"] if success else []
        count = str(len(ran)) if len(ran) == len(found) else f"{len(ran)} of {len(found)}"
        lines.append((called(one, method), count, *cells, _worst(one, ran)))
    first = once(row for row in rows if row["label"] == "mean")
    old = {key: _mean(first, _earlier(key)) for key in here}
    lines.append(("_before_", "-", *(old[key] for key in here), *["-"] * len(success), "-"))
    return table(head, lines)


def versus(one: Set, rows: Sequence[Row]) -> str:
    """pullback less each other tool, case by case."""
    own = f"pullback:{one.recipe}"
    mine = {row["case"]: value(row, one.judge) for row in wholes(rows, own)}
    lines = []
    for method in [m for m in methods(one, rows) if m != own]:
        theirs = {row["case"]: value(row, one.judge) for row in wholes(rows, method)}
        both = [case for case in mine if math.isfinite(mine[case]) and math.isfinite(theirs.get(case, math.nan))]
        if not both:
            continue
        c = compare([theirs[case] for case in both], [mine[case] for case in both])
        better = c.b_greater if HIGHER[one.judge] else c.b_less
        interval = "-" if math.isnan(c.low) else f"{c.low:+.3f} to {c.high:+.3f}"
        lines.append((called(one, method), f"{c.difference:+.3f}", interval, f"{c.p:.2g}", f"{better} of {c.cases}"))
    head = (f"pullback less ... ({TITLES[one.judge]})", "mean difference", "95 % interval", "p", "pullback better in")
    return table(head, lines) if lines else ""


def by_label(one: Set, rows: Sequence[Row]) -> str:
    """Mean Dice of each label."""
    labels = list(dict.fromkeys(row["label"] for row in rows if row["label"] in one.names))
    lines = []
    for method in methods(one, rows):
        own = [row for row in rows if row["method"] == method]
        lines.append((called(one, method), *(_mean([row for row in own if row["label"] == k], "dice") for k in labels)))
    old = (_mean(once(row for row in rows if row["label"] == k), "dice_before") for k in labels)
    return table(("Dice", *(one.names[k] for k in labels)), [*lines, ("_before_", *old)]) if len(labels) > 1 else ""


def by_angle(one: Set, rows: Sequence[Row]) -> str:
    """How many starts succeed at each angle; the angle is a part of the case's name."""
    place = 1 if one.name == "capture_2d" else 0
    angles = sorted({int(row["case"].split("-")[place]) for row in rows})
    lines = []
    for method in methods(one, rows):
        cells = []
        for angle in angles:
            own = [row for row in wholes(rows, method) if int(row["case"].split("-")[place]) == angle]
            cells.append(f"{sum(value(row, one.judge) < SUCCESS_MM for row in own)} of {len(own)}")
        lines.append((called(one, method), *cells))
    return table(("corners within 2 mm, started at", *(f"{angle}°" for angle in angles)), lines)


def overview(rows: dict[str, list[Row]]) -> str:
    """A line for each set: pullback and the best of the others that finished the same cases."""
    lines = []
    for one in SETS:
        known = {m: _known(wholes(rows[one.name], m), one.judge) for m in methods(one, rows[one.name])}
        mine = known.pop(f"pullback:{one.recipe}", [])
        if not mine:
            continue
        own, means = _central(one, mine), {m: _central(one, v) for m, v in known.items() if len(v) == len(mine)}
        best = (max if HIGHER[one.judge] else min)(means, key=lambda m: means[m], default=None)
        cases = len(wholes(rows[one.name], f"pullback:{one.recipe}"))
        other = "-" if best is None else f"{means[best]:.3f} ({called(one, best)})"
        lines.append((one.title, str(cases), one.recipe, TITLES[one.judge], f"{own:.3f}", other))
    return table(("pairs", "cases", "recipe", "measure", "pullback", "best other"), lines) if lines else NOTHING


def keep_picture(path: Path, case: Case, transform: Transform) -> None:
    """The middle slices of a case whose images may be shown."""
    warped = resample(case.moving, transform, case.fixed.space)
    three = [case.fixed, resample(case.moving, _nowhere(transform), case.fixed.space), warped]
    flat = [image.data[0] if image.dimension == 2 else image.data[0, image.space.shape[0] // 2] for image in three]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, images=np.stack([plane.numpy().astype(np.float16) for plane in flat]))


def _nowhere(transform: Transform) -> Transform:
    from pullback.transforms import Affine

    return Affine.identity(transform.dimension)


def shown(one: Set, rows: Sequence[Row], path: Path, pictures: Path) -> str:
    """The typical and the worst case of pullback."""
    sign = -1 if HIGHER[one.judge] else 1
    ordered = sorted((row for row in wholes(rows, f"pullback:{one.recipe}") if math.isfinite(value(row, one.judge))),
                     key=lambda row: sign * value(row, one.judge))  # fmt: skip
    ordered = [row for row in ordered if (pictures / f"{row['case']}.npz").exists()]
    if not ordered:
        return ""
    chosen = {"typical": ordered[(len(ordered) - 1) // 2], "worst": ordered[-1]}
    planes = []
    for words, row in chosen.items():
        with np.load(pictures / f"{row['case']}.npz") as file:
            title = f"{words}: {row['case']}, {TITLES[one.judge]} {value(row, one.judge):.3g}"
            planes.append((title, file["images"].astype(np.float32)))
    draw_cases(planes[: 1 if chosen["typical"] is chosen["worst"] else 2], path)
    return f"![The typical and the worst case of pullback: fixed, moving, warped](images/{path.name})"


def _before(one: Set, rows: Sequence[Row]) -> list[float]:
    key = {"dice": "dice_before", "ncc": "ncc_before", "epe_mm": "epe_before_mm"}.get(one.judge, "")
    cases = {row["case"]: value(row, key) for row in rows if row["label"] == "mean" and row.get(key)}
    return list(cases.values())


def _known(rows: Iterable[Row], key: str) -> list[float]:
    return [v for v in (value(row, key) for row in rows) if math.isfinite(v)]


def _central(one: Set, values: Sequence[float]) -> float:
    """The mean; the median where some are lost altogether and a mean says nothing."""
    return statistics.median(values) if one.judge == "corner_mm" else statistics.fmean(values)


def _earlier(key: str) -> str:
    """The column of the same measure before registration."""
    return f"{key[:-3]}_before_mm" if key.endswith("_mm") else f"{key}_before"


def _mean(rows: Iterable[Row], key: str) -> str:
    """Mean ± SD over cases; the median where means say nothing, a sum of labels lost."""
    found = _known(rows, key)
    if not found:
        return "-"
    if key == "labels_lost":
        return f"{sum(found):.0f}"
    if key == "corner_mm":
        return number(statistics.median(found))
    if key.endswith("_mm") and max(found) < 1:
        return number(statistics.fmean(found), 2)
    digits = 2 if key.endswith("_mm") or key == "fold_percent" else 3
    spread = f" ± {statistics.stdev(found):.{digits}f}" if len(found) > 1 and key != "fold_percent" else ""
    return f"{statistics.fmean(found):.{digits}f}{spread}"


def _worst(one: Set, rows: Sequence[Row]) -> str:
    known = [row for row in rows if math.isfinite(value(row, one.judge))]
    if not known:
        return "-"
    worst = (min if HIGHER[one.judge] else max)(known, key=lambda row: value(row, one.judge))
    return f"{number(value(worst, one.judge))} ({worst['case']})"

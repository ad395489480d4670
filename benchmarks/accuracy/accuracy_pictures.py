"""The pictures of docs/accuracy.md: a dot for each case and tool, and slices where images may be shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pictures import OTHERS, OWN, PLAIN, STYLE, mpl, plt

SPREAD = 0.22


def draw_dots(groups: Mapping[str, Sequence[float]], before: Sequence[float], what: str, path: Path) -> None:
    """One column for each tool, one dot for each case, a bar at the median."""
    columns = ({"before": before} if before else {}) | dict(groups)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(1.2 + 1.05 * len(columns), 2.9))
        for k, (name, values) in enumerate(columns.items()):
            known = sorted(v for v in values if math.isfinite(v))
            colour = OWN if name.startswith("pullback") else "#bbbbbb" if name == "before" else OTHERS[0]
            places = k + SPREAD * np.sin(np.arange(len(known)) * 2.4)  # the same figures make the same file
            axes.plot(places, known, "o", color=colour, markersize=3.5, alpha=0.8, markeredgewidth=0)
            if known:
                axes.plot([k - 0.3, k + 0.3], [np.median(known)] * 2, color="#222222", linewidth=1.2)
        names = [name.replace(", ", ",\n") for name in columns]
        axes.set_xticks(range(len(columns)), names, fontsize=7)
        axes.set_xlim(-0.6, len(columns) - 0.4)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel(what)
        if "mm" in what:
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(PLAIN)
        _save(figure, path)


def draw_cases(cases: Sequence[tuple[str, np.ndarray]], path: Path) -> None:
    """A row for each case: fixed, moving and warped with fixed in the other colour, and warped."""
    with mpl.rc_context({"font.size": 7}):
        figure, grid = plt.subplots(len(cases), 4, figsize=(6.8, 2.0 * len(cases)), squeeze=False)
        for line, (title, images) in zip(grid, cases, strict=True):
            fixed, moving, warped = (_scaled(image) for image in images)
            shown = (("fixed", _grey(fixed)), ("before: fixed and moving", _mixed(fixed, moving)),
                     ("after: fixed and warped", _mixed(fixed, warped)), ("warped", _grey(warped)))  # fmt: skip
            for axes, (words, picture) in zip(line, shown, strict=True):
                axes.imshow(picture, interpolation="nearest")
                axes.set_title(words, fontsize=6.5, pad=2)
                axes.axis("off")
            line[0].text(0, -0.03, title, transform=line[0].transAxes, va="top", fontsize=6.5)
        figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.03, hspace=0.2)
        _write(figure, path)


def _scaled(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, [1, 99.5])
    return np.clip((image - low) / max(high - low, 1e-9), 0, 1)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.stack([image] * 3, axis=-1)


def _mixed(fixed: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Orange and blue that add to grey where both agree."""
    return np.stack([fixed, (fixed + other) / 2, other], axis=-1)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout(pad=0.3, w_pad=0.2)
    _write(figure, path)


def _write(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {"metadata": {"Date": None}} if path.suffix == ".svg" else {"dpi": 110}
    figure.savefig(path, bbox_inches="tight", **more)
    plt.close(figure)

"""The pictures of the page: small SVGs, light, with units on every axis."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullLocator
from results import NAMES, Result

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "pullback",  # the same figures make the same file
    "svg.fonttype": "none",
}
OWN, OTHERS = "#c8382f", ("#30638e", "#7a7a7a", "#2a9d8f", "#b08900", "#7b4ea3", "#444444", "#8a5a44")
REST = "#9db0c2"


MARKS = "osD^v"
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def look(tool: str) -> dict[str, str]:
    """One colour for each program, another mark for each variant of it."""
    script = tool.partition(":")[0]
    scripts = list(dict.fromkeys(t.partition(":")[0] for t in NAMES))
    variants = [t for t in NAMES if t.partition(":")[0] == script]
    mark = MARKS[variants.index(tool) % len(MARKS)] if tool in variants else "x"
    hues = (OWN, *OTHERS)
    hue = hues[scripts.index(script) % len(hues)] if script in scripts else "#000000"
    return {"color": hue, "marker": mark}


def draw_trade(found: list[Result], path: Path) -> bool:
    """Seconds beside error, a pair of bars for each tool, fastest first; whether there was anything to draw."""
    there = [(r, error) for r in found if (error := r.get("error_mean_voxels")) is not None]
    if not there:
        return False
    there.sort(key=lambda pair: -pair[0].seconds)  # bars grow from below
    names = [NAMES.get(r.tool, r.tool) for r, _ in there]
    colours = [OWN if r.tool.partition(":")[0] == "pullback" else REST for r, _ in there]
    columns = {
        "seconds, whole process": ([r.seconds for r, _ in there], "%.1f"),
        "mean error of the known warp, voxels": ([error for _, error in there], "%.2f"),
    }
    with mpl.rc_context(STYLE | {"axes.grid": False, "axes.spines.bottom": False}):
        figure, both = plt.subplots(1, 2, figsize=(8.6, 0.5 + 0.29 * len(there)), sharey=True)
        for axes, (title, (values, digits)) in zip(both, columns.items(), strict=True):
            bars = axes.barh(names, values, color=colours, height=0.68)
            axes.bar_label(bars, fmt=digits, padding=3, fontsize=8)
            axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
            axes.set_xlim(0, 1.15 * max(values))
            axes.set_xticks([])
            axes.tick_params(axis="y", length=0)
        for words, colour in zip(both[0].get_yticklabels(), colours, strict=True):
            words.set(color=OWN if colour == OWN else "black", fontweight="bold" if colour == OWN else "normal")
        _save(figure, path)
    return True


def draw_sizes(found: list[Result], path: Path) -> bool:
    """Seconds and memory against the number of voxels."""
    if not found:
        return False
    with mpl.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.2))
        for tool in [t for t in NAMES if any(r.tool == t for r in found)]:
            own = sorted((r for r in found if r.tool == tool and r.status == "done"), key=lambda r: r.voxels)
            voxels = [r.voxels for r in own]
            left.plot(voxels, [r.seconds for r in own], **look(tool), markersize=4, label=NAMES[tool])
            right.plot(voxels, [r.peak_mb / 1000 for r in own], **look(tool), markersize=4)
        cubes = sorted({r.voxels for r in found})
        for axes, words in ((left, "seconds, whole process"), (right, "peak memory, GB")):
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(cubes, [f"{round(v ** (1 / 3))}\u00b3" for v in cubes])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(PLAIN)
            axes.set_xlabel("voxels")
            axes.set_ylabel(words)
        names = left.get_legend_handles_labels()
        right.legend(*names, frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
        _save(figure, path)
    return True


def _save(figure: plt.Figure, path: Path) -> None:
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)

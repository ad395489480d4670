"""Figures: one function for each thing there is to see; matplotlib's objects only, never pyplot's global state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pullback import ops
from pullback.errors import InputError
from pullback.registration import Registration
from pullback.report.curves import loss_curves
from pullback.report.pictures import Pictures
from pullback.report.sheet import Sheet, nice, sheet
from pullback.report.style import (
    DARK,
    DIFFERENCE,
    FIXED_COLOUR,
    FOLD_COLOUR,
    GRID_COLOUR,
    LIGHT,
    MOVING_COLOUR,
    VOLUME,
    ReportFigure,
    Style,
    fused,
    on_picture,
    plain,
)
from pullback.report.survey import Survey

LINES = 18
"""Grid lines across the longest side of a picture."""
OUTLINE = 0.35
"""The part of the grey scale at which the fixed image is outlined on maps."""
MOST_FOR_OUTLINE = 72
TILES = 7
"""Squares of the checkerboard along the longest side."""


def figure(registration: Registration, kind: str, dark: bool = False) -> ReportFigure:
    """A matplotlib figure of a registration, for a notebook or a paper.

    Args:
        registration: the result.
        kind: overlay, checkerboard, difference, grid, displacement, jacobian or loss.
        dark: light ink on black paper.

    Raises:
        InputError: there is no such kind.

    Example:
        >>> import pullback as pb
        >>> pair = pb.phantom.make("pair")
        >>> result = pb.register(pair.fixed, pair.moving, "rigid")
        >>> pb.report.figure(result, "overlay").savefig("overlay.png")
    """
    style = DARK if dark else LIGHT
    if kind == "loss":
        return loss_curves(registration, style)
    if kind not in PICTURES:
        raise InputError(f"there is no figure {kind!r}; choose one of {', '.join((*PICTURES, 'loss'))}")
    return PICTURES[kind](Pictures.joined(Pictures.of(Survey.of(registration))), style)


def overlay(pictures: Pictures, style: Style) -> ReportFigure:
    """Fixed and moving in two colours, before and after."""
    page = sheet(pictures.planes, ("before", "after"), style)
    for row, moving in enumerate((pictures.before, pictures.after)):
        for column, (fixed, other) in enumerate(zip(pictures.fixed, moving, strict=True)):
            page.show(row, column, fused(fixed, other))
    for height, name, colour in ((0.95, "fixed", FIXED_COLOUR), (0.885, "moving", MOVING_COLOUR)):
        on_picture(page.axes[0][0], 0.03, height, name, color=colour, ha="left")
    return page.figure


def checkerboard(pictures: Pictures, style: Style) -> ReportFigure:
    """Fixed and moving in alternate squares, before and after."""
    page = sheet(pictures.planes, ("before", "after"), style)
    for row, moving in enumerate((pictures.before, pictures.after)):
        for column, (fixed, other) in enumerate(zip(pictures.fixed, moving, strict=True)):
            page.show(row, column, np.where(_squares(fixed.shape, page.planes[column].size_mm), fixed, other))
    return page.figure


def difference(pictures: Pictures, style: Style) -> ReportFigure:
    """Moving minus fixed, before and after, on one scale."""
    page = sheet(pictures.planes, ("before", "after"), style, bar=True)
    pairs = [
        [100 * (m - f) for f, m in zip(pictures.fixed, moving, strict=True)]
        for moving in (pictures.before, pictures.after)
    ]
    largest = max(10.0, float(np.percentile(np.abs(np.concatenate([d.ravel() for line in pairs for d in line])), 99)))
    for row, line in enumerate(pairs):
        for column, d in enumerate(line):
            image = page.show(row, column, d, cmap=DIFFERENCE, vmin=-largest, vmax=largest)
    step = nice(largest / 2)
    page.bar(image, "moving − fixed, % of the grey scale", [k * step for k in (-2, -1, 0, 1, 2)])
    return page.figure


def grid(pictures: Pictures, style: Style) -> ReportFigure:
    """A regular grid drawn on the moving image and pulled back with it, on the fixed image."""
    page = sheet(pictures.planes, ("",), style)
    every = grid_mm(pictures)
    for column, (fixed, reached) in enumerate(zip(pictures.fixed, pictures.reached, strict=True)):
        page.show(0, column, 0.75 * fixed)
        x, y = page.pixels_mm(column, reached.shape[1:])
        for where in reached:
            levels = np.arange(np.floor(where.min() / every), np.ceil(where.max() / every) + 1) * every
            page.axes[0][column].contour(x, y, where, levels=levels, colors=GRID_COLOUR, linewidths=0.7,
                                            linestyles="solid", alpha=0.9)  # fmt: skip
    on_picture(page.axes[0][0], 0.96, 0.045, f"grid of {every:g} mm", ha="right", color=GRID_COLOUR)
    return page.figure


def grid_mm(pictures: Pictures) -> float:
    """The distance of the lines of the drawn grid."""
    return nice(max(max(plane.size_mm) for plane in pictures.planes) / LINES * 1.6)


def displacement(pictures: Pictures, style: Style) -> ReportFigure:
    """How far each pixel is pulled."""
    page = sheet(pictures.planes, ("",), style, bar=True)
    largest = max(1e-3, *(float(d.max()) for d in pictures.deformation_mm))
    for column, distance in enumerate(pictures.deformation_mm):
        image = page.show(0, column, distance, cmap="viridis", vmin=0, vmax=largest)
        _outline(page, column, pictures.fixed[column], "white")
    step = nice(largest / 3)
    page.bar(image, "displacement, mm", [k * step for k in range(int(largest / step) + 1)])
    return page.figure


def jacobian(pictures: Pictures, style: Style) -> ReportFigure:
    """Local volume change, and how often each value occurs in the whole image."""
    page = sheet(pictures.planes, ("",), style, bar=True, graph=1.15)
    sample = pictures.jacobian_sample
    reach = _reach(np.concatenate([sample, *(j.ravel() for j in pictures.jacobian)]))
    colours = VOLUME.with_extremes(bad=FOLD_COLOUR)
    for column, j in enumerate(pictures.jacobian):
        shown = np.ma.masked_where(j <= 0, j.clip(1 / reach, reach))
        image = page.show(0, column, shown, cmap=colours, norm=LogNorm(1 / reach, reach), vmin=None, vmax=None)
        _outline(page, column, pictures.fixed[column], "black")
    ticks = volume_ticks(reach)
    page.bar(image, "volume change (Jacobian)", ticks, [f"{t:.3g}" for t in ticks])
    _histogram(page, sample, reach, style)
    return page.figure


PICTURES: dict[str, Callable[[Pictures, Style], ReportFigure]] = {
    "overlay": overlay,
    "checkerboard": checkerboard,
    "difference": difference,
    "grid": grid,
    "displacement": displacement,
    "jacobian": jacobian,
}


def _outline(page: Sheet, column: int, fixed: np.ndarray, colour: str) -> None:
    """The fixed image's bright parts, faintly, so that a map can be read as anatomy."""
    if fixed.max() <= OUTLINE:
        return
    shape = tuple(max(2, min(n, MOST_FOR_OUTLINE)) for n in fixed.shape)
    smooth = ops.resize(torch.from_numpy(fixed)[None, None], shape)[0, 0].numpy()
    x, y = page.pixels_mm(column, shape)
    page.axes[0][column].contour(x, y, smooth, levels=[OUTLINE], colors=colour, linewidths=0.6, alpha=0.7)


def _squares(shape: tuple[int, ...], size_mm: tuple[float, float]) -> np.ndarray:
    edge = max(size_mm) / TILES
    rows, columns = ((np.arange(n) * length / n // edge).astype(int) for n, length in zip(shape, size_mm, strict=True))
    squares: np.ndarray = (rows[:, None] + columns) % 2 == 0
    return squares


def _reach(values: np.ndarray) -> float:
    """The end of a scale that is centred at 1: nearly all values lie between its inverse and it."""
    positive = values[values > 0]
    if positive.size == 0:
        return 2.0
    far = float(np.percentile(np.abs(np.log(positive)), 99.8))
    return float(np.exp(min(max(far, np.log(1.1)), np.log(8.0))))


def _histogram(page: Sheet, sample: np.ndarray, reach: float, style: Style) -> None:
    axes = page.graph
    assert axes is not None
    edges = np.geomspace(1 / reach, reach, 61)
    counts, _ = np.histogram(sample[sample > 0].clip(1 / reach, reach), edges)
    middles = np.sqrt(edges[:-1] * edges[1:])
    colours = VOLUME((np.log(middles) / np.log(reach) + 1) / 2)
    axes.bar(edges[:-1], 100 * counts / max(1, sample.size), width=np.diff(edges), align="edge", color=colours)
    axes.set_xscale("log")
    axes.set_xlim(1 / reach, reach)
    axes.xaxis.set_major_locator(FixedLocator(volume_ticks(reach)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(1.0, color=style.faint, linewidth=0.8)
    axes.set_xlabel("volume change: 0.5 is half, 1 is none, 2 is double", fontsize=9, color=style.ink)
    axes.set_ylabel("% of voxels", fontsize=9, color=style.ink)
    axes.locator_params(axis="y", nbins=4, integer=True)
    plain(axes, style)


def volume_ticks(reach: float) -> list[float]:
    """Round numbers between 1 / reach and reach, a handful."""
    if reach < 1.2:
        ticks = [0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15]
    elif reach < 1.5:
        ticks = [0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4]
    elif reach < 3:
        ticks = [0.4, 0.5, 0.7, 1.0, 1.4, 2.0, 2.5]
    else:
        ticks = [1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0]
    return [tick for tick in ticks if 1 / reach <= tick * 1.0001 and tick <= reach * 1.0001]

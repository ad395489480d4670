"""Sheet: the layout of a figure that shows planes side by side, at one scale in mm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from pullback.report.planes import Plane
from pullback.report.style import ReportFigure, Style, on_picture

WIDTH = 10.0
"""Inches; a single picture takes about half."""
MOST_HEIGHT = 5.6
GAP = 0.07
EDGE = 0.12
TITLE = 0.27
LABEL = 0.27
BAR = 0.95
AXIS = 0.55
"""Room for the ticks and the label of a graph's axis."""
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Sheet:
    """A figure and its axes, one for each row and plane.

    Attributes:
        figure: the figure.
        axes: (rows, planes).
        graph: further axes, if there was room asked for.
    """

    figure: ReportFigure
    axes: list[list[Axes]]
    planes: tuple[Plane, ...]
    graph: Axes | None = None

    def show(self, row: int, column: int, picture: np.ndarray, **how: Any) -> AxesImage:
        """Draw a picture on its plane, in mm."""
        height, width = self.planes[column].size_mm
        how = {"cmap": "gray", "vmin": 0, "vmax": 1, **how} if picture.ndim == 2 else how
        image: AxesImage = self.axes[row][column].imshow(picture, extent=(0, width, height, 0), **how)
        return image

    def pixels_mm(self, column: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Where the pixel centres of a picture of some shape lie on its axes, along x and along y."""
        height, width = self.planes[column].size_mm
        rows, columns = shape
        return (np.arange(columns) + 0.5) * width / columns, (np.arange(rows) + 0.5) * height / rows

    def bar(self, image: AxesImage, label: str, ticks: Sequence[float], names: Sequence[str] | None = None) -> None:
        """A colour bar to the right of all pictures."""
        style = self.figure.style
        boxes = [axes.get_position() for row in self.axes for axes in row]
        right, low, high = max(b.x1 for b in boxes), min(b.y0 for b in boxes), max(b.y1 for b in boxes)
        width, height = self.figure.get_size_inches()
        tall = min(high - low, 3.2 / height)
        place = (right + 0.14 / width, (low + high - tall) / 2, 0.13 / width, tall)
        bar = self.figure.colorbar(image, cax=self.figure.add_axes(place))
        bar.set_ticks(list(ticks), labels=None if names is None else list(names))
        bar.ax.minorticks_off()
        bar.set_label(label, color=style.ink, fontsize=9)
        bar.ax.tick_params(colors=style.ink, labelsize=8, length=3)
        bar.outline.set_edgecolor(style.faint)


def sheet(planes: tuple[Plane, ...], rows: Sequence[str], style: Style, bar: bool = False, graph: float = 0.0) -> Sheet:
    """An empty sheet: a row of planes for each name; the rows of a single plane stand side by side instead.

    Args:
        planes: what will be shown in each row.
        rows: their names.
        style: paper and ink.
        bar: whether to leave room for a colour bar.
        graph: height in inches of further axes, below the pictures or beside a single one.
    """
    frame = Frame.around(planes, rows, bar, graph)
    figure = ReportFigure.sized(*frame.size, style)
    axes = [[figure.add_axes(frame.place(*box)) for box in line] for line in frame.boxes]
    if len(planes) == 1:
        axes = [[each] for each in axes[0]]
    further = figure.add_axes(frame.place(*frame.graph)) if frame.graph else None
    made = Sheet(figure, axes, planes, further)
    _name(made, rows, frame)
    return made


@dataclass(frozen=True)
class Frame:
    """Where everything lies on a sheet, in inches from its top left corner.

    Attributes:
        size: of the sheet: width, height.
        boxes: of the pictures: left, top, width, height; row by row as they lie on the sheet.
        graph: of the further axes, likewise.
        titles: how far from the top the titles stand.
    """

    size: tuple[float, float]
    boxes: tuple[tuple[Box, ...], ...]
    graph: Box | None
    titles: float

    @classmethod
    def around(cls, planes: tuple[Plane, ...], rows: Sequence[str], bar: bool, graph: float) -> Frame:
        """The frame of a sheet; see `sheet`."""
        beside = len(planes) == 1
        down, across = (1, len(rows)) if beside else (len(rows), len(planes))
        shown = planes * len(rows) if beside else planes
        heights, widths = ([plane.size_mm[k] for plane in shown] for k in (0, 1))
        titled = any(plane.title for plane in planes) or (beside and any(rows))
        left = EDGE if beside or not any(rows) else EDGE + LABEL
        top = TITLE if titled else EDGE
        right = BAR if bar else EDGE
        room = WIDTH if across > 1 else WIDTH / 2
        scale = min(
            (room - left - right - GAP * (across - 1)) / sum(widths),
            (MOST_HEIGHT - top - EDGE - GAP * (down - 1)) / (max(heights) * down),
        )
        tall = scale * max(heights)
        boxes = []
        for row in range(down):
            line, x = [], left
            for height, width in zip(heights, widths, strict=True):
                line.append((x, top + row * (tall + GAP) + (tall - scale * height) / 2, scale * width, scale * height))
                x += scale * width + GAP
            boxes.append(tuple(line))
        inner = (scale * sum(widths) + GAP * (across - 1), tall * down + GAP * (down - 1))
        size = (left + inner[0] + right, top + inner[1] + EDGE)
        place = None
        if graph and len(heights) == 1:
            begin = size[0] + AXIS
            place = (begin, top + (inner[1] - 1.6 * graph) / 2, WIDTH - begin - 2 * EDGE, 1.6 * graph)
            size = (WIDTH, max(size[1], top + 1.6 * graph + AXIS + EDGE))
        elif graph:
            place = (left + AXIS, size[1] + EDGE, inner[0] - AXIS, graph)
            size = (size[0], size[1] + EDGE + graph + AXIS)
        return cls(size, tuple(boxes), place, top - 0.08)

    def place(self, x: float, y: float, width: float, height: float) -> Box:
        """A box as matplotlib takes it: in parts of the sheet, from its bottom left corner."""
        return x / self.size[0], 1 - (y + height) / self.size[1], width / self.size[0], height / self.size[1]


def _name(made: Sheet, rows: Sequence[str], frame: Frame) -> None:
    """Titles, names of rows, sides of the patient and one scale bar."""
    single = len(made.planes) == 1
    how: dict[str, Any] = {"color": made.figure.style.ink, "fontsize": 9.5, "ha": "center"}
    for number, (name, line) in enumerate(zip(rows, made.axes, strict=True)):
        for plane, axes in zip(made.planes, line, strict=True):
            height, width = plane.size_mm
            axes.set_axis_off()
            axes.set(xlim=(0, width), ylim=(height, 0))
            middle = axes.get_position().x0 + axes.get_position().width / 2
            title = ", ".join(filter(None, (name, plane.title))) if single else plane.title
            if single or number == 0:
                made.figure.text(middle, 1 - frame.titles / frame.size[1], title, va="bottom", **how)
                _orient(axes, plane)
        if name and not single:
            box = line[0].get_position()
            made.figure.text(box.x0 - 0.06 / frame.size[0], (box.y0 + box.y1) / 2, name, rotation=90,
                             **{**how, "ha": "right", "va": "center"})  # fmt: skip
    _scale_bar(made.axes[0][0], made.planes[0])


def _orient(axes: Axes, plane: Plane) -> None:
    """The sides of the patient, at the edges of the picture."""
    if plane.letters is None:
        return
    for letter, (x, y) in zip(plane.letters, ((0.5, 0.96), (0.97, 0.5), (0.5, 0.04), (0.03, 0.5)), strict=True):
        on_picture(axes, x, y, letter)


def _scale_bar(axes: Axes, plane: Plane) -> None:
    height, width = plane.size_mm
    length = nice(width / 5)
    x, y = 0.04 * width, 0.955 * height
    axes.plot([x, x + length], [y, y], color="black", linewidth=4, solid_capstyle="butt")
    axes.plot([x, x + length], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    on_picture(axes, (x + length / 2) / width, 1 - 0.92, f"{length:g} mm", va="bottom")


def nice(value: float) -> float:
    """The round number nearest below: 1, 2 or 5 times a power of ten.

    Example:
        >>> nice(37.0), nice(0.3)
        (20.0, 0.2)
    """
    power = 10.0 ** math.floor(math.log10(value))
    return max(m * power for m in (1.0, 2.0, 5.0) if m * power <= value * (1 + 1e-9))

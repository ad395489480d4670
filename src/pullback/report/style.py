"""Colours and letters of the figures: one meaning, one colour, everywhere in the report and its viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

FIXED_COLOUR = (0.05, 0.50, 1.00)
"""What only the fixed image has; told apart from its counterpart by every kind of colour vision."""
MOVING_COLOUR = (0.95, 0.50, 0.00)
"""What only the moving image has. The two add up to white, so that agreement is grey."""
FOLD_COLOUR = "#ff2fd0"
"""Where the transform folds."""
GRID_COLOUR = "#ffd23f"

DIFFERENCE = LinearSegmentedColormap.from_list(
    "fixed-black-moving", [(0.45, 0.75, 1.0), FIXED_COLOUR, (0.0, 0.0, 0.0), MOVING_COLOUR, (1.0, 0.80, 0.45)]
)
"""From "the fixed image is brighter" over black to "the moving image is brighter"."""
VOLUME = LinearSegmentedColormap.from_list(
    "shrinks-same-grows", ["#053061", "#2f79b5", "#a7cfe4", "#f7f7f7", "#f7b799", "#c13639", "#67001f"]
)
"""From shrinking (blue) over unchanged (white) to growing (red)."""


@dataclass(frozen=True)
class Style:
    """The colours of a figure's paper and ink."""

    paper: str
    ink: str
    faint: str


LIGHT = Style(paper="#ffffff", ink="#1b1f24", faint="#9aa3ad")
"""For notebooks and print."""
DARK = Style(paper="#0d1117", ink="#e6e9ed", faint="#6b7682")
"""For the report's pictures: a light box, in any theme."""
CLEAR = Style(paper="none", ink="#010203", faint="#8b949e")
"""For drawings that take their ink's colour from the page around them."""


class ReportFigure(Figure):
    """A matplotlib figure that stands outside pyplot and shows itself in a notebook."""

    style: Style

    @classmethod
    def sized(cls, width: float, height: float, style: Style) -> ReportFigure:
        """An empty figure of a size in inches."""
        figure = cls(figsize=(width, height), dpi=120, facecolor=style.paper)
        figure.set_layout_engine("none")  # whatever the user's settings say
        FigureCanvasAgg(figure)
        figure.style = style
        return figure

    def _repr_png_(self) -> bytes:
        from io import BytesIO  # noqa: PLC0415 - notebooks only

        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        """For pages that are made of scripts, where only HTML is shown."""
        from base64 import b64encode  # noqa: PLC0415 - as above

        picture, wide = b64encode(self._repr_png_()).decode(), round(100 * self.get_figwidth())
        return f'<img src="data:image/png;base64,{picture}" style="width: {wide}px; max-width: 100%" alt="figure">'


def fused(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Two grey pictures in two colours, (rows, columns, 3): grey where they agree."""
    both: np.ndarray = fixed[..., None] * np.array(FIXED_COLOUR) + moving[..., None] * np.array(MOVING_COLOUR)
    return both.clip(0, 1)


def on_picture(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Text on top of a picture, in parts of its axes, readable on black and on white."""
    how = {"color": "white", "fontsize": 8, "ha": "center", "va": "center", **how}
    axes.text(x, y, text, transform=axes.transAxes, path_effects=[withStroke(linewidth=2, foreground="black")], **how)


def plain(axes: Axes, style: Style) -> None:
    """A graph without a box, in the style's ink."""
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(style.faint)
    axes.tick_params(colors=style.ink, labelsize=8, length=3)


def on_paper(figure: ReportFigure, text: str, style: Style) -> None:
    """A sentence in the middle of an empty figure."""
    figure.text(0.5, 0.5, text, color=style.ink, fontsize=10, ha="center", va="center")

"""Cards: the figures of the page, each with a caption that says how to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO

import matplotlib as mpl

from pullback.report.curves import loss_curves, optimised
from pullback.report.figures import PICTURES, grid_mm
from pullback.report.pictures import Pictures
from pullback.report.style import CLEAR, DARK, ReportFigure
from pullback.report.survey import Survey
from pullback.report.viewer import data_address

DPI = 135
"""Of the pictures; finer than the page, for screens and printers that are."""
INCH = 100
"""CSS pixels."""
QUALITY = 84
HALF = 6.0
"""Figures narrower than this many inches stand side by side."""


@dataclass(frozen=True)
class Card:
    """A figure on the page.

    Attributes:
        title: above it.
        caption: below it: how to read it.
        picture: its data: address; empty where it is a drawing.
        drawing: its SVG; empty where it is a picture.
        size: of a picture: width and height on the page, CSS pixels.
    """

    title: str
    caption: str
    picture: str = ""
    drawing: str = ""
    size: tuple[int, int] = (0, 0)

    @property
    def is_half(self) -> bool:
        """Whether two of its kind fit beside each other."""
        return bool(self.picture) and self.size[0] < HALF * INCH


def cards(survey: Survey) -> list[Card]:
    """The cards of a registration: a linear one has no deformation to show, and not every one has a loss."""
    pictures = Pictures.joined(Pictures.of(survey))
    found = [_card(*titled, pictures) for titled in _captions(survey, grid_mm(pictures))]
    if optimised(survey.registration):
        found.append(
            Card(
                "Loss",
                "The loss before each step; a low loss is not accuracy. Stages measure different things, and levels "
                "(named by their voxel size) different details: compare within a level only.",
                drawing=_svg(loss_curves(survey.registration, CLEAR), "loss"),
            )
        )
    return found


def _captions(survey: Survey, every_mm: float) -> Iterator[tuple[str, str, str]]:
    """Kind, title and caption of each picture."""
    yield (
        "overlay",
        "Overlay",
        f"Blue: fixed. Orange: moving. Grey: they agree. Before: {survey.before_is}. After: pulled back by the result.",
    )
    yield "checkerboard", "Checkerboard", "Fixed and moving in alternate squares: edges should run on across them."
    contrast = " The images differ in contrast: this does not vanish where anatomy matches."
    yield (
        "difference",
        "Difference",
        "Before and after on one scale. Blue: the fixed image is brighter. Orange: the moving one is."
        + ("" if survey.one_contrast else contrast),
    )
    flat = " Motion out of the plane does not show."
    yield (
        "grid",
        "Deformation grid",
        f"A regular grid of {every_mm:g} mm drawn on the moving image and pulled back with it, over the fixed image."
        + (flat if survey.space.dimension == 3 else ""),
    )
    if survey.is_linear:
        return
    yield (
        "displacement",
        "Displacement",
        "How far each point is pulled, beyond shift, turn and scale. Lines: where the fixed image turns bright.",
    )
    yield (
        "jacobian",
        "Volume change",
        "The Jacobian determinant. Blue: tissue is smaller in the moving image. Red: larger. Pink: folded. The graph: "
        "how often each value occurs in the whole image.",
    )


def _card(kind: str, title: str, caption: str, pictures: Pictures) -> Card:
    figure = PICTURES[kind](pictures, DARK)
    buffer = BytesIO()
    figure.savefig(buffer, format="webp", dpi=DPI, pil_kwargs={"quality": QUALITY, "method": 2})
    width, height = (round(inches * INCH) for inches in figure.get_size_inches())
    return Card(title, caption, picture=data_address(buffer.getvalue(), "image/webp"), size=(width, height))


def _svg(figure: ReportFigure, name: str) -> str:
    """A drawing whose ink and letters are the page's, and whose marks no other drawing has."""
    buffer = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(CLEAR.ink, "currentColor")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", drawing)
    return re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", drawing)

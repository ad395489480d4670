"""HTML: one page that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from os import PathLike
from pathlib import Path

import torch
from jinja2 import Environment, StrictUndefined

import pullback
from pullback.io import atomic
from pullback.registration import Registration
from pullback.registration.remarks import number
from pullback.report.cards import cards
from pullback.report.data import DIRECTION, NOT_ACCURACY, ReportData, data
from pullback.report.key_figures import KeyFigure
from pullback.report.survey import Survey
from pullback.report.viewer import viewer_data


def write(
    registration: Registration,
    path: str | PathLike[str],
    *,
    accuracy: Sequence[KeyFigure] = (),
    show_folders: bool = False,
) -> Path:
    """Write a report on a registration: one self-contained HTML page, there whole or not at all.

    Args:
        registration: the result.
        path: where to.
        accuracy: figures measured against labels, landmarks or a known warp, if there are any.
        show_folders: whether to name the folders of files; they often hold names of people and of hospitals.

    Returns:
        The path.

    Raises:
        InputError: the page cannot be written there.

    Example:
        >>> import pullback as pb
        >>> pair = pb.phantom.make("pair")
        >>> result = pb.register(pair.fixed, pair.moving, "rigid")
        >>> pb.report.write(result, "report.html").name
        'report.html'
    """
    with atomic(path) as temporary:
        with _one_thread():
            page = html(registration, data(registration, accuracy=accuracy, show_folders=show_folders))
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def html(registration: Registration, said: ReportData) -> str:
    """The page, as text."""
    survey = Survey.of(registration)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    return environment.from_string(_asset("template.html.jinja")).render(
        said=said,
        cards=cards(survey),
        viewer=viewer_data(survey),
        before_is=survey.before_is,
        direction=DIRECTION,
        not_accuracy=NOT_ACCURACY,
        version=pullback.__version__,
        style=_asset("style.css"),
        script=_asset("viewer.js"),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Single slices are too little work to share: on a busy machine, waiting for a second thread costs more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _asset(name: str) -> str:
    return files("pullback.report").joinpath("assets", name).read_text(encoding="utf-8")

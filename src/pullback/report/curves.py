"""Curves: the loss of every step, stage by stage, level by level."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from pullback.registration import Optimise, Outcome, Registration
from pullback.report.style import MOVING_COLOUR, ReportFigure, Style, on_paper, plain

WIDTH, HEIGHT = 10.0, 2.4
SIMILARITIES = {
    "MSE": "mean squared difference",
    "NCC": "correlation",
    "LNCC": "local correlation",
    "MIND": "difference of descriptors",
    "MutualInformation": "mutual information",
    "MattesMutualInformation": "mutual information (Mattes)",
    "NormalisedMutualInformation": "mutual information (Studholme)",
    "RegionalMutualInformation": "mutual information in windows",
    "CorrelationRatio": "correlation ratio",
    "NormalisedGradient": "directions of edges",
    "RobustDifference": "robust difference",
    "SoftDice": "overlap of labels",
    "LandmarkDistance": "distance of landmarks",
    "SurfaceDistance": "distance of surfaces",
    "WeightedSum": "a weighted sum",
}


def optimised(registration: Registration) -> list[tuple[Outcome, str]]:
    """The stages that have a loss, each with the name of its similarity."""
    rows = []
    for position, outcome in enumerate(registration.outcomes):
        if outcome.history:
            rows.append((outcome, similarity_name(registration, position)))
    return rows


def similarity_name(registration: Registration, position: int) -> str:
    """What the stage at a position of the recipe compares images by, in words; empty where that is not known."""
    stages = registration.recipe.stages
    stage = stages[position] if position < len(stages) else None
    if not isinstance(stage, Optimise):
        return ""
    name = type(stage.energy.similarity).__name__
    return SIMILARITIES.get(name, name)


def loss_curves(registration: Registration, style: Style) -> ReportFigure:
    """One graph for each stage: stages differ in what they measure, so their losses cannot share an axis."""
    stages = optimised(registration)
    figure = ReportFigure.sized(WIDTH, HEIGHT, style)
    if not stages:
        on_paper(figure, "no stage took optimisation steps", style)
        return figure
    left, gap, right = 0.92, 0.75, 0.15
    width = (WIDTH - left - right - gap * (len(stages) - 1)) / len(stages)
    for column, (outcome, similarity) in enumerate(stages):
        x = left + column * (width + gap)
        axes = figure.add_axes((x / WIDTH, 0.47 / HEIGHT, width / WIDTH, (HEIGHT - 0.47 - 0.55) / HEIGHT))
        _curve(axes, outcome, style)
        axes.set_title(f"{outcome.stage}: {similarity}" if similarity else outcome.stage,
                       color=style.ink, fontsize=9.5, pad=17)  # fmt: skip
    figure.text(0.1 / WIDTH, 0.5, "loss (0 is perfect)", rotation=90, va="center", fontsize=9, color=style.ink)
    return figure


def _curve(axes: Axes, outcome: Outcome, style: Style) -> None:
    begin = 0
    total = sum(len(level.losses) for level in outcome.history)
    for number, level in enumerate(outcome.history):
        end = begin + len(level.losses)
        losses = np.array([loss if np.isfinite(loss) else np.nan for loss in level.losses])
        axes.plot(np.arange(begin, end) + 1, losses, color=MOVING_COLOUR, linewidth=1.5,
                  marker="o" if len(losses) == 1 else None, markersize=3)  # fmt: skip
        if number:
            axes.axvline(begin + 0.5, color=style.faint, linewidth=0.8, linestyle=(0, (3, 2)))
        if (end - begin) > 0.07 * total:
            axes.text((begin + end + 1) / 2, 1.02, f"{min(level.spacing_mm):.3g} mm", ha="center", va="bottom",
                      transform=axes.get_xaxis_transform(), fontsize=8, color=style.ink)  # fmt: skip
        begin = end
    axes.set_xlim(0.5, max(total, 1) + 0.5)
    axes.set_xlabel("step", fontsize=9, color=style.ink)
    axes.locator_params(axis="x", integer=True, nbins=5)
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.5g}"))
    plain(axes, style)

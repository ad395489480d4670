import math
from dataclasses import replace

import numpy as np
import pytest

from pullback.registration.outcome import LevelHistory
from pullback.report.curves import loss_curves, optimised, similarity_name
from pullback.report.style import LIGHT
from pullback.space import Space

SPACE = Space.of_array((40, 40))


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in (axes.title, *axes.texts)]


def test_each_stage_with_a_loss_has_its_own_graph(result):
    made = result(SPACE)
    figure = loss_curves(made, LIGHT)
    assert [name for _, name in optimised(made)] == ["mutual information", "mutual information", "local correlation"]
    assert [axes.get_title() for axes in figure.axes] == [
        "rigid: mutual information",
        "affine: mutual information",
        "deformable: local correlation",
    ]
    assert texts(figure).count("4 mm") == 3


def test_levels_follow_one_another(result):
    axes = loss_curves(result(SPACE), LIGHT).axes[0]
    first, second = (line for line in axes.lines if len(line.get_xdata()) > 2)
    np.testing.assert_array_equal(first.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(second.get_xdata(), [5, 6, 7])
    np.testing.assert_array_equal(second.get_ydata(), [0.42, 0.3, 0.22])


def test_a_loss_that_is_not_finite_leaves_a_gap(result):
    made = result(SPACE)
    broken = replace(made.outcomes[1], history=(LevelHistory((1.0, 1.0), (0.5, math.inf, math.nan)),))
    figure = loss_curves(replace(made, outcomes=(broken,)), LIGHT)
    shown = figure.axes[0].lines[0].get_ydata()
    assert shown[0] == 0.5
    assert np.isnan(shown[1:]).all()


@pytest.mark.parametrize("losses", [(0.477931, 0.477902), (1234.5, 1230.1), (3.1e-7, 1.2e-7), (5e6, 1e5), (0.5, 0.5)])
def test_losses_of_any_size_can_be_read(result, losses):
    made = result(SPACE)
    history = (LevelHistory((1.0, 1.0), losses),)
    figure = loss_curves(replace(made, outcomes=tuple(replace(o, history=history) for o in made.outcomes[1:])), LIGHT)
    figure.canvas.draw()
    edge = figure.texts[0].get_window_extent().x1
    for axes in figure.axes:
        labels = [t for t in axes.get_yticklabels() if axes.get_ylim()[0] <= t.get_position()[1] <= axes.get_ylim()[1]]
        assert len({t.get_text() for t in labels}) == len(labels) >= 2
        assert min(t.get_window_extent().x0 for t in labels) >= edge
        edge = axes.get_window_extent().x1


def test_a_registration_without_steps_says_so(result):
    made = result(SPACE)
    figure = loss_curves(replace(made, outcomes=made.outcomes[:1]), LIGHT)
    assert "no stage took optimisation steps" in [t.get_text() for t in figure.texts]


@pytest.mark.parametrize("position", [0, 17])
def test_a_stage_that_does_not_compare_has_no_similarity(result, position):
    assert similarity_name(result(SPACE), position) == ""

import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
import torch

from pullback.errors import InputError
from pullback.report import figure
from pullback.report.figures import PICTURES, grid_mm, volume_ticks
from pullback.report.pictures import Pictures
from pullback.report.style import FOLD_COLOUR
from pullback.report.survey import Survey
from pullback.space import Space
from pullback.transforms import Affine, Displacement

KINDS = [*PICTURES, "loss"]


def images(made):
    """The pictures of a figure, without its colour bar."""
    return [axes.images[0] for axes in made.axes if axes.images]


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_shows_something_and_nothing_in_it_is_clipped(result, space, kind):
    made = figure(result(space), kind, dark=space.dimension == 2)
    made.set_dpi(60)
    made.canvas.draw()
    assert np.asarray(made.canvas.buffer_rgba())[..., :3].std() > 5
    reach, (width, height) = made.get_tightbbox(), made.get_size_inches()
    assert min(reach.x0, reach.y0) >= 0
    assert reach.x1 <= width
    assert reach.y1 <= height


@pytest.mark.parametrize("kind", ["svg", "webp", "pdf"])
def test_figures_can_be_written_in_other_formats(result, kind, tmp_path):
    figure(result(Space.of_array((40, 40))), "overlay").savefig(tmp_path / f"it.{kind}")
    assert (tmp_path / f"it.{kind}").stat().st_size > 1000


def test_an_unknown_kind_is_refused_with_the_kinds_that_there_are(result):
    with pytest.raises(InputError, match=r"no figure 'heatmap'; choose one of overlay, .*loss"):
        figure(result(Space.of_array((40, 40))), "heatmap")


def test_planes_are_shown_in_mm(result):
    made = figure(result(Space.of_array((40, 60), (3.0, 1.0))), "overlay")
    for image in images(made):
        left, right, bottom, top = image.get_extent()
        assert abs((bottom - top) / (right - left)) == pytest.approx(
            image.axes.get_position().height
            * made.get_figheight()
            / (image.axes.get_position().width * made.get_figwidth())
        )


def test_the_overlay_is_grey_after_a_perfect_registration_and_not_before(result, space):
    made = result(space, Affine.translation([12.0, 0.0, 0.0][: space.dimension]))
    pictures = [np.asarray(image.get_array()) for image in images(figure(made, "overlay"))]
    count = len(pictures) // 2
    colour = [np.mean([np.ptp(p, axis=-1).mean() for p in half]) for half in (pictures[:count], pictures[count:])]
    assert colour[1] < 0.2 * colour[0]


def test_a_checkerboard_shows_both_images(result):
    space = Space.of_array((70, 70))
    before = np.asarray(images(figure(result(space, Affine.translation([20.0, 0.0])), "checkerboard"))[0].get_array())
    pictures = Pictures.joined(Pictures.of(Survey.of(result(space, Affine.translation([20.0, 0.0])))))
    from_fixed, from_moving = (np.isclose(before, p[0]) for p in (pictures.fixed, pictures.before))
    assert (from_fixed | from_moving).all()
    assert (from_fixed & ~from_moving).mean() > 0.05
    assert (from_moving & ~from_fixed).mean() > 0.05


def test_differences_before_and_after_share_one_scale_and_one_sign(result):
    space = Space.of_array((60, 60))
    before, after = images(figure(result(space, Affine.translation([-8.0, 0.0])), "difference"))
    assert before.get_clim() == after.get_clim()
    assert before.get_clim()[0] == -before.get_clim()[1]
    values = np.asarray(before.get_array())
    assert (
        values[:, : values.shape[1] // 2].min() < -30
    )  # the moving image lies to the right: on the left it is missing
    assert values[:, values.shape[1] // 2 :].max() > 30
    assert np.abs(np.asarray(after.get_array())).mean() < 0.3 * np.abs(values).mean()


def test_the_grid_is_drawn_on_the_moving_image_and_pulled_back_with_it(result):
    space = Space.of_array((100, 100))
    still, moved = (figure(result(space, Affine.translation([-x, 0.0])), "grid") for x in (0.0, 3.0))

    def upright_lines(made):
        levels = next(c for c in made.axes[0].collections if hasattr(c, "levels"))
        return sorted(path.vertices[:, 0].mean() for path in levels.get_paths() if len(path.vertices))

    every = 5.0
    for line in upright_lines(still):
        assert line % every == pytest.approx(0, abs=1e-3) or line % every == pytest.approx(every, abs=1e-3)
    shift = (upright_lines(moved)[0] - upright_lines(still)[0]) % every
    assert shift == pytest.approx((-3.0) % every, abs=0.1)  # the picture moves against the transform


def test_the_distance_of_grid_lines_is_round(result):
    assert grid_mm(Pictures.joined(Pictures.of(Survey.of(result(Space.of_array((40, 40), 5.0)))))) in (5.0, 10.0, 20.0)


def test_folds_have_a_colour_of_their_own(result):
    space = Space.of_array((60, 60))
    field = torch.zeros(2, 60, 60)
    x = space.grid()[..., 0]
    field[0] = (-2.0 * (x - x.mean()) * ((x - x.mean()).abs() < 6)).float()
    made = figure(result(space, Displacement(field, space), moving=result(space).moving), "jacobian")
    image = images(made)[0]
    folded = np.ma.getmaskarray(image.get_array())
    assert 0.1 < folded.mean() < 0.5
    bad = image.cmap(np.ma.masked_all(1))[0]
    np.testing.assert_allclose(bad[:3], [int(FOLD_COLOUR[k : k + 2], 16) / 255 for k in (1, 3, 5)], atol=0.01)


def test_the_scale_of_volume_change_is_centred_at_one(result, space):
    image = images(figure(result(space), "jacobian"))[0]
    low, high = image.get_clim()
    assert low * high == pytest.approx(1.0)
    assert float(image.norm(1.0)) == pytest.approx(0.5)


@pytest.mark.parametrize("reach", [1.1, 1.3, 2.0, 4.0, 8.0])
def test_the_scale_of_volume_change_has_a_handful_of_ticks(reach):
    ticks = volume_ticks(reach)
    assert 1.0 in ticks
    assert 3 <= len(ticks) <= 7
    assert min(ticks) >= 0.99 / reach
    assert max(ticks) <= 1.01 * reach


@pytest.mark.parametrize("kind", KINDS)
def test_odd_images_have_figures_too(result, kind):
    for space in (Space.of_array((1, 40, 40)), Space.of_array((4, 5)), Space.of_array((2, 30, 30), (9.0, 1.0, 1.0))):
        made = result(space, Affine.translation([1.0, 0.5, 0.0][: space.dimension]))
        figure(made, kind).savefig(BytesIO(), format="png", dpi=50)


def test_the_report_leaves_pyplot_alone():
    code = "import json, sys, pullback.report; print(json.dumps('matplotlib.pyplot' in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(answer.stdout) is False

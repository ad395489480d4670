import matplotlib
import numpy as np
import pytest
from PIL import Image as Picture

from pullback.report.style import DARK, FIXED_COLOUR, LIGHT, MOVING_COLOUR, VOLUME, ReportFigure, fused


def test_what_agrees_is_grey_and_what_does_not_has_the_colour_of_its_image():
    levels = np.linspace(0, 1, 11)[None]
    both = fused(levels, levels)
    assert np.ptp(both, axis=-1).max() < 0.01
    np.testing.assert_allclose(both[0, :, 0], levels[0], atol=0.01)
    np.testing.assert_allclose(fused(np.ones((1, 1)), np.zeros((1, 1)))[0, 0], FIXED_COLOUR)
    np.testing.assert_allclose(fused(np.zeros((1, 1)), np.ones((1, 1)))[0, 0], MOVING_COLOUR)


def test_no_change_of_volume_is_white():
    assert min(VOLUME(0.5)[:3]) > 0.95
    assert VOLUME(0.0)[2] > VOLUME(0.0)[0]  # shrinking is blue
    assert VOLUME(1.0)[0] > VOLUME(1.0)[2]  # growing is red


@pytest.mark.parametrize(("style", "paper"), [(LIGHT, 255), (DARK, 13)])
def test_a_figure_shows_itself_in_a_notebook(style, paper, tmp_path):
    figure = ReportFigure.sized(2.0, 1.0, style)
    (tmp_path / "it.png").write_bytes(figure._repr_png_())
    with Picture.open(tmp_path / "it.png") as picture:
        assert picture.size == (240, 120)
        assert picture.convert("RGB").getpixel((5, 5))[0] == paper


def test_a_figure_shows_itself_on_a_page_whatever_the_users_settings():
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        figure = ReportFigure.sized(2.0, 1.0, LIGHT)
        figure.add_axes((0.1, 0.1, 0.8, 0.8))
        html = figure._repr_html_()  # would warn if another layout were tried
    assert html.startswith('<img src="data:image/png;base64,')
    assert "width: 200px" in html

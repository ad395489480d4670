"""The registration report in a browser: it opens without an error, and the viewer's controls do what they say."""

import pytest

import pullback as pb
from pullback.report import write
from pullback.transforms import Affine, resample

PICTURE = "document.getElementById('canvas').toDataURL()"
MODES = ["overlay", "swipe", "blink", "checker", "difference"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of a stack of five slices that was shifted by a few millimetres."""
    heart = pb.phantom.make("heart-3d", shape=(5, 32, 32), spacing=(8, 6, 6)).image
    moving = resample(heart, Affine.translation([6.0, -3.0, 0.0]), heart.space)
    return write(pb.register(heart, moving, "translation"), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(params=["light", "dark"])
def page(report, visit, request):
    """The open report; it waits for the viewer, which shows itself once its pictures are decoded."""
    opened = visit(report, theme=request.param)
    opened.locator("#viewer").wait_for(state="visible")
    return opened


def test_every_mode_shows_another_picture(page):
    seen = []
    for mode in MODES:
        page.locator("#modes label", has=page.locator(f"input[value={mode}]")).click()
        seen.append(page.evaluate(PICTURE))
        assert page.inner_text("#legend") != ""
    assert len(set(seen)) == len(MODES)


def test_sliders_and_keys_move_what_they_name(page):
    for name in ("position", "slice"):
        before, words = page.evaluate(PICTURE), page.inner_text("#sliceName")
        page.focus(f"#{name}")
        for _ in range(20 if name == "position" else 1):
            page.keyboard.press("ArrowLeft")
        assert page.evaluate(PICTURE) != before, name
        assert (page.inner_text("#sliceName") != words) == (name == "slice")
    page.focus("#zoom")
    page.keyboard.press("End")
    assert page.evaluate("document.getElementById('canvas').style.transform") == "scale(5)"
    page.focus("input[name=mode]:checked")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('input[name=mode]:checked').value") == "swipe"


def test_the_line_follows_the_mouse(page):
    film = page.locator("#film")
    film.scroll_into_view_if_needed()
    box = film.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert float(page.input_value("#position")) == pytest.approx(25, abs=1)


def test_the_theme_is_the_readers(report, visit):
    def paper(theme):
        return visit(report, theme=theme).evaluate("getComputedStyle(document.body).backgroundColor")

    assert paper("light") == "rgb(246, 247, 249)"
    assert paper("dark") == "rgb(16, 20, 24)"


def test_it_fits_a_narrow_screen(report, visit):
    page = visit(report, width=400)
    page.locator("#viewer").wait_for(state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400

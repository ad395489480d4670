"""What a reader does on the interactive page: sliders, keys, dragging, descending, themes, a narrow screen."""

import itertools
from pathlib import Path

import pytest

STATIC = str(Path(__file__).parents[2] / "docs" / "_static")
GAUGES = "['mse', 'ncc', 'mi'].map((name) => document.getElementById(name + 'Says').textContent)"
ERROR = "PLAY.page.errorOf()"


def slide(page, name, value):
    page.eval_on_selector(f"#{name}", "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", str(value))


@pytest.mark.parametrize("name", ["tx", "ty", "angle"])
def test_each_slider_changes_all_three_gauges(play, settled, name):
    page = play()
    before = page.evaluate(GAUGES)
    slide(page, name, 7)
    settled(page)
    assert all(a != b for a, b in zip(before, page.evaluate(GAUGES), strict=True))
    assert page.inner_text(f"#{name}Says").startswith("+7.0")


def test_sliders_to_the_answer_make_everything_perfect(play, settled):
    page = play()
    for name, value in {"tx": 9, "ty": -6, "angle": 15}.items():
        slide(page, name, value)
    settled(page)
    assert page.evaluate(GAUGES) == ["0.0000", "1.000", "0.458 nats"]
    page.click("#reveal")
    settled(page)
    assert page.inner_text("#error").startswith("Found. Error: 0.00 mm and 0.0°")


def test_the_error_is_shown_only_when_asked(play, settled):
    page = play()
    assert page.inner_text("#error") == ""
    assert page.locator("#mseBest").is_hidden()
    page.click("#reveal")
    settled(page)
    assert "Error: 10.82 mm and 15.0°" in page.inner_text("#error")
    page.click("#reveal")
    settled(page)
    assert page.inner_text("#error") == ""


def test_it_descends_to_the_pose_by_ncc(play, settled):
    page = play("#picture=tutorial&measure=ncc")
    page.click("#descend")
    settled(page)
    error = page.evaluate(ERROR)
    assert error["mm"] < 0.1
    assert error["degrees"] < 0.5
    assert "Stopped in a valley" in page.inner_text("#said")


def test_a_descent_is_shown_step_by_step_and_can_be_stopped(play, settled):
    page = play("#challenge=5", motion="no-preference")  # a long way
    page.click("#descend")
    stop = "document.getElementById('descend').textContent === 'Stop' && !document.getElementById('descend').click()"
    page.wait_for_function(f"PLAY.page.state.path.length > 2 && {stop}")
    settled(page)
    assert page.inner_text("#said") == "Stopped by you."
    assert page.inner_text("#descend") == "Let it descend"
    assert 2 < page.evaluate("PLAY.page.state.path.length") < 100


def test_the_keyboard_moves_and_turns_what_is_seen(play, settled):
    page = play()
    page.focus("#stage")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowUp", "e"):
        page.keyboard.press(key)
    pose = page.evaluate("PLAY.page.state.pose")
    assert pose == pytest.approx({"tx": -2, "ty": 1.25, "angle": -1})  # a pull-back: the transform goes the other way
    page.focus("input[name=contrast]:checked")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("PLAY.page.state.contrast") == "inverted"
    page.focus("#tx")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("PLAY.page.state.pose.tx") == pytest.approx(-1.75)


def test_everything_is_reached_with_the_tabulator(play):
    page = play()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = {"picture", "contrast", "interpolation", "view", "measure", "stage", "tx", "ty", "angle", "descend"}
    assert wanted | {"puzzle", "reveal", "reset"} <= reached


def test_the_picture_follows_the_mouse(play, settled):
    page = play("#picture=tutorial")
    page.click("#reset")
    box = page.locator("#stage").bounding_box()
    x, y, mm = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"] / 64
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 9 * mm, y + 6 * mm, steps=3)
    page.mouse.up()
    settled(page)
    pose = page.evaluate("PLAY.page.state.pose")
    assert (pose["tx"], pose["ty"]) == (pytest.approx(9, abs=0.1), pytest.approx(-6, abs=0.1))


def test_a_click_on_the_map_goes_there(play, settled):
    page = play()
    page.wait_for_function("!PLAY.page.mapping()")
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3)
    settled(page)
    pose = page.evaluate("PLAY.page.state.pose")
    assert pose["tx"] > 2
    assert pose["ty"] < -5
    assert pose["angle"] == 0


def test_a_new_puzzle_is_another_one(play, settled):
    page = play()
    poses = set()
    for _ in range(3):
        page.click("#puzzle")
        settled(page)
        poses.add(str(page.evaluate("PLAY.page.state.truth")))
    assert len(poses) == 3


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_hangs_over_the_side(play, width):
    for picture in ("tutorial", "chest"):
        page = play(f"#picture={picture}", width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_in_both_themes(play, theme):
    page = play(theme=theme)
    inks = ("--ink", "--faint", "--accent", "--fixed", "--moving", "--answer")
    for text, paper in itertools.product(inks, ("--card", "--paper")):
        assert contrast(*(rgb(page, name) for name in (text, paper))) >= 4.5, f"{text} on {paper}"
    assert contrast(rgb(page, "--on-accent"), rgb(page, "--accent")) >= 4.5
    lightness = luminance(rgb(page, "--paper"))
    assert lightness > 0.8 if theme == "light" else lightness < 0.05


def test_in_a_page_of_the_documentation_the_theme_is_that_page_s(chromium):
    """The site is there without a server: every address is answered from the folder."""
    around = '<!doctype html><html data-theme="light"><iframe src="/_static/play/index.html"></iframe></html>'
    page = chromium.new_page()
    page.route("**/*", lambda route: route.fulfill(body=around, content_type="text/html"))
    page.route("**/_static/**", lambda route: route.fulfill(path=STATIC + route.request.url.partition("_static")[2]))
    page.goto("http://site.example/play.html")
    inner = page.frame_locator("iframe").locator("html")
    inner.locator("#main").wait_for(state="visible")
    assert inner.get_attribute("data-theme") == "light"
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.frame_locator("iframe").locator("html[data-theme=dark]").wait_for(state="attached")
    assert inner.evaluate("e => getComputedStyle(e.ownerDocument.body).backgroundColor") == "rgb(16, 20, 24)"
    page.close()


def rgb(page, name):
    value = page.evaluate("(n) => getComputedStyle(document.documentElement).getPropertyValue(n).trim()", name)
    return [int(value[k : k + 2], 16) / 255 for k in (1, 3, 5)]


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)

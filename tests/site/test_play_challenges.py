"""What the guided experiments of the interactive page promise."""

import pytest


def ends(page, number: int, measure: str) -> tuple[float, float]:
    """Error in mm and degrees after an experiment, followed by one measure."""
    page.locator("#challenges button").nth(number - 1).click()
    page.check(f"input[name=measure][value={measure}]", force=True)
    page.click("#descend")  # with reduced motion, it ends at once
    error = page.evaluate("PLAY.page.errorOf()")
    return error["mm"], error["degrees"]


ARRIVE = {(2, "mse"), (2, "ncc"), (2, "mi"), (4, "mse"), (5, "mi"), (6, "mi")}
STRAY = {(3, "mse"), (3, "ncc"), (3, "mi"), (5, "mse"), (6, "ncc")}


def test_who_arrives_and_who_does_not(play):
    page = play()
    for number, measure in sorted(ARRIVE):
        mm, degrees = ends(page, number, measure)
        assert mm < 0.1, (number, measure)
        assert degrees < 0.5, (number, measure)
    for number, measure in sorted(STRAY):
        assert ends(page, number, measure)[0] > 10, (number, measure)


def test_an_uneven_coil_leads_ncc_astray_more_than_mi(play):
    page = play()
    ncc, mi = (ends(page, 7, measure)[0] for measure in ("ncc", "mi"))
    assert ncc == pytest.approx(0.4, abs=0.1)
    assert mi < 0.1


def test_nearest_makes_stairs_and_linear_a_slope(play):
    page = play("#challenge=8")
    levels = """() => { const found = new Set();
      for (let k = 20; k < 60; k++) found.add(PLAY.page.measureAt({ tx: k / 10, ty: 0, angle: 0 }).mse.toFixed(9));
      return found.size; }"""
    assert page.evaluate(levels) == 5
    page.check("input[name=interpolation][value=linear]", force=True)
    assert page.evaluate(levels) == 40

import re
from pathlib import Path

from pullback.evaluate import MEASURES, assess
from pullback.image import Points
from pullback.phantom import make
from pullback.transforms import Affine

PAGE = Path(__file__).parents[2] / "docs" / "methods" / "evaluate.md"


def test_every_measure_is_defined_in_the_docs_and_no_other():
    defined = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            defined |= set(re.findall(r"`(\w+)`", line.split(" | ")[0]))
    assert defined == set(MEASURES)


def test_everything_that_can_be_measured_is_measured():
    pair = make("pair", shape=(40, 44), spacing=(6.0, 6.0))
    landmarks = {f"{side}_points": points for side, points in zip(
        ("fixed", "moving"), _landmarks(pair), strict=True)}  # fmt: skip
    found = assess(pair.truth, pair.fixed, moving=pair.moving, fixed_labels=pair.fixed_labels, truth=pair.truth,
                   moving_labels=pair.moving_labels, backward=Affine.identity(2), **landmarks)  # fmt: skip
    assert {row.measure for row in found.rows} == set(MEASURES)
    assert found["tre_max_mm"] < 1e-3
    assert found["epe_max_mm"] == 0
    assert found["inverse_max_mm"] > 1
    assert found.find("tre_mean_mm").before > 1


def _landmarks(pair):
    x = pair.fixed.space.grid()[15:25:5, 15:30:5].reshape(-1, 2)
    return Points(x), Points(pair.truth(x))

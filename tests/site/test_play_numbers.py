"""The MSE, NCC and MI of the interactive page are those of pullback, for the same pictures at the same poses."""

import base64
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pullback import ops
from pullback.energy.similarity.entropies import entropies
from pullback.image import Image
from pullback.space import Space
from pullback.transforms import Affine, resample

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-9
TRUTH = {"tx": 9.0, "ty": -6.0, "angle": 15.0}
POSES = [
    TRUTH,
    {"tx": 0.0, "ty": 0.0, "angle": 0.0},
    {"tx": 3.31, "ty": -7.77, "angle": -12.3},
    {"tx": -29.1, "ty": 28.4, "angle": 58.6},  # reads from beyond the picture, too
]
ASK = """([picture, contrast, interpolation, truth, poses]) => {
  PLAY.page.set({ picture, contrast, interpolation, truth });
  return poses.map((pose) => { const { mse, ncc, mi } = PLAY.page.measureAt(pose); return [mse, ncc, mi]; });
}"""


def pictures(name: str, contrast: str) -> tuple[Image, Image]:
    """Fixed and moving picture of the page as images, around one middle."""
    text = (ROOT / "docs/_static/play/pictures.js").read_text(encoding="utf-8")
    entry = json.loads(text[text.index("{") : text.rindex(";")])["pictures"][name]
    margin, shape = entry["margin"], (entry["rows"], entry["columns"])
    space = Space.of_array(shape, entry["spacing"])
    matrix = space.matrix.clone()
    matrix[:-1, -1] = space.to_world(torch.tensor([-margin, -margin], dtype=torch.float64))
    wide = Space(tuple(n + 2 * margin for n in shape), matrix)
    moving = values(entry["moving"]["same" if contrast == "inverted" else contrast], wide)
    moving = Image(1 - moving.data, wide) if contrast == "inverted" else moving
    return values(entry["fixed"], space), moving


def values(packed: str, space: Space) -> Image:
    array = np.frombuffer(base64.b64decode(packed), np.uint8).reshape(space.shape)
    return Image(torch.from_numpy(array.astype(np.float64) / 255)[None], space)


def transform(pose: dict[str, float], space: Space) -> Affine:
    """The page's pose: x to the right and y down, where the world's axes point to the left and up."""
    return Affine.rigid(pose["angle"], [-pose["tx"], -pose["ty"]], centre=space.centre)


def ours(fixed: Image, moving: Image, pose: dict[str, float], interpolation: str) -> list[float]:
    placed = transform(TRUTH, fixed.space).inverse() @ transform(pose, fixed.space)
    warped = resample(moving, placed, fixed.space, interpolation)
    f, w = fixed.data[None], warped.data[None]
    return [float(ops.mse(f, w)), 1 - float(ops.ncc(f, w)), float(entropies(f, w, 32, None).information)]


@pytest.mark.parametrize("picture", ["tutorial", "chest"])
def test_the_measures_are_those_of_pullback(play, picture):
    page = play()
    for contrast, interpolation in itertools.product(("same", "inverted", "other", "shaded"), ("linear", "nearest")):
        theirs = page.evaluate(ASK, [picture, contrast, interpolation, TRUTH, POSES])
        fixed, moving = pictures(picture, contrast)
        for pose, found in zip(POSES, theirs, strict=True):
            expected = ours(fixed, moving, pose, interpolation)
            assert found == pytest.approx(expected, abs=TOLERANCE), f"{contrast}, {interpolation}, {pose}"


def test_at_the_answer_the_same_picture_is_perfect(play):
    page = play()
    mse, ncc, mi = page.evaluate(ASK, ["tutorial", "same", "linear", TRUTH, [TRUTH]])[0]
    assert mse == pytest.approx(0, abs=1e-12)
    assert ncc == pytest.approx(1, abs=1e-9)
    around = [{**TRUTH, name: TRUTH[name] + step} for name in TRUTH for step in (-2, -0.5, 0.5, 2)]
    assert mi > max(row[2] for row in page.evaluate(ASK, ["tutorial", "same", "linear", TRUTH, around]))

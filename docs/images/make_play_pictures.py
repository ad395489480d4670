"""Make docs/_static/play/pictures.js, the pictures of the interactive page: `python docs/images/make_play_pictures.py`.

Each picture is one fixed image and, on a larger grid around the same middle, the moving image in three contrasts. They
are drawn at one pose; the page reads the moving one through the pose of a puzzle, so nothing is ever resampled twice.
"""

import base64
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch

from pullback.image import Image
from pullback.phantom import add_bias, add_noise, heart, heart_space, short_axis, short_axis_labels
from pullback.report.style import FIXED_COLOUR, MOVING_COLOUR

OUT = Path(__file__).parents[1] / "_static" / "play" / "pictures.js"
SEED, NOISE = 3, 0.015
TUTORIAL_MARGIN, CHEST_MARGIN = 32, 24
CHEST_SHAPE, CHEST_MM = (80, 120), 2.0
OTHER = {"outside": 0.70, "wall": 0.45, "blood": 0.12}
"""The tutorial's heart in another sequence: three tissues, where the fixed image tells only walls from the rest."""


def tutorial() -> dict[str, object]:
    """The binary heart of the registration exercises, without noise."""
    walls = padded(short_axis().data[0])
    labels = padded(short_axis_labels().data)
    other = torch.full_like(walls, OTHER["outside"])
    other[(labels == 1) | (labels == 3)] = OTHER["blood"]
    other[walls == 1] = OTHER["wall"]
    shaded = add_bias(Image.of(walls), 0.6, SEED, "shading").data[0]
    moving = {"same": walls, "other": other, "shaded": shaded / shaded.max()}
    return entry(1.0, TUTORIAL_MARGIN, short_axis().data[0], moving)


def chest() -> dict[str, object]:
    """A short-axis slice through a chest as cine and T2-weighted, each scan with noise of its own."""
    m = CHEST_MARGIN
    space = heart_space(shape=[n + 2 * m for n in CHEST_SHAPE], spacing=(CHEST_MM, CHEST_MM))
    cine, t2 = (heart(2, contrast, space, SEED, noise=0.0, bias=0.0).image for contrast in ("cine", "t2"))
    shaded = add_bias(cine, 0.6, SEED, "shading").data
    shaded = shaded / shaded[:, m:-m, m:-m].max()
    scans = {"fixed": cine, "same": cine, "other": t2, "shaded": Image(shaded, space)}
    noisy = {name: add_noise(scan, NOISE, SEED, name).data[0] for name, scan in scans.items()}
    return entry(CHEST_MM, m, noisy.pop("fixed")[m:-m, m:-m], noisy)


def padded(heart: torch.Tensor) -> torch.Tensor:
    """With empty space around, so that what comes in from the side is known."""
    return torch.nn.functional.pad(heart, [TUTORIAL_MARGIN] * 4)


def entry(spacing: float, margin: int, fixed: torch.Tensor, moving: dict[str, torch.Tensor]) -> dict[str, object]:
    rows, columns = fixed.shape
    return {
        "spacing": spacing,
        "rows": rows,
        "columns": columns,
        "margin": margin,
        "fixed": packed(fixed),
        "moving": {name: packed(image) for name, image in moving.items()},
    }


def packed(image: torch.Tensor) -> str:
    """Values in [0, 1] as bytes, 255 for 1, in base64."""
    return base64.b64encode((image.clamp(0, 1) * 255).round().to(torch.uint8).numpy().tobytes()).decode()


def text() -> str:
    """The whole file."""
    shades = mpl.colormaps["cividis"](np.linspace(0, 1, 33))[:, :3]
    data = {
        "fixedColour": FIXED_COLOUR,
        "movingColour": MOVING_COLOUR,
        "shades": np.rint(255 * shades).astype(int).tolist(),
        "pictures": {"tutorial": tutorial(), "chest": chest()},
    }
    return f"// Made by docs/images/make_play_pictures.py; do not edit.\nwindow.PLAY = {json.dumps(data)};\n"


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text(), encoding="utf-8")
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB")

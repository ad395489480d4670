"""Viewer: the slices that a reader can leaf through in the browser, as strips of small grey pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image as Picture

from pullback.report.pictures import Pictures
from pullback.report.style import FIXED_COLOUR, MOVING_COLOUR
from pullback.report.survey import Survey

MOST_SLICES = 20
ACROSS = 7
QUALITY = 82


def viewer_data(survey: Survey) -> dict[str, Any]:
    """What the page's script needs: strips of parallel planes, as three pictures each, slices one below another."""
    return {
        "mode": "overlay" if survey.one_contrast else "swipe",
        "fixedColour": FIXED_COLOUR,
        "movingColour": MOVING_COLOUR,
        "strips": [_strip(pictures) for pictures in Pictures.of(survey, MOST_SLICES, ACROSS)],
    }


def _strip(pictures: Pictures) -> dict[str, Any]:
    first = pictures.planes[0]
    rows, columns = pictures.fixed[0].shape
    height, width = first.size_mm
    return {
        "rows": rows,
        "columns": columns,
        "heightMm": height,
        "widthMm": width,
        "name": first.direction,
        "focus": _focus(pictures),
        "letters": first.letters,
        "titles": [plane.title for plane in pictures.planes],
        "start": _nearest(pictures),
        "fixed": _below_another(pictures.fixed),
        "before": _below_another(pictures.before),
        "after": _below_another(pictures.after),
    }


def _focus(pictures: Pictures) -> list[float]:
    """Where the picture should be enlarged, in parts of its width and height."""
    space = pictures.planes[0].space
    down, right = (space.to_voxels(pictures.survey.focus)[-2:] + 0.5).tolist()
    return [min(max(at / n, 0.0), 1.0) for at, n in ((right, space.shape[-1]), (down, space.shape[-2]))]


def _nearest(pictures: Pictures) -> int:
    """The plane that goes through the focus, or next to it."""
    if pictures.survey.space.dimension == 2:
        return 0
    away = [abs(float(plane.space.to_voxels(pictures.survey.focus)[0])) for plane in pictures.planes]
    return away.index(min(away))


def _below_another(slices: Sequence[np.ndarray]) -> str:
    grey = (np.concatenate(slices) * 255 + 0.5).astype(np.uint8)
    buffer = BytesIO()
    Picture.fromarray(grey).save(buffer, "JPEG", quality=QUALITY)
    return data_address(buffer.getvalue(), "image/jpeg")


def data_address(content: bytes, kind: str) -> str:
    """A data: address that holds the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

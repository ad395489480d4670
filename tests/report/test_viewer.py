import base64
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from pullback.report.pictures import Pictures
from pullback.report.survey import Survey
from pullback.report.viewer import viewer_data


def decoded(address: str) -> np.ndarray:
    kind, _, content = address.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Picture.open(BytesIO(base64.b64decode(content))) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


def test_strips_hold_their_slices_one_below_another(result, space):
    survey = Survey.of(result(space))
    strips = viewer_data(survey)["strips"]
    assert (
        len(strips)
        == {"2D": 1, "stack": 1, "volume": 3}[
            "2D" if space.dimension == 2 else "stack" if space.shape[0] == 9 else "volume"
        ]
    )
    for strip, pictures in zip(strips, Pictures.of(survey, 20, 7), strict=True):
        count = len(strip["titles"])
        assert 0 <= strip["start"] < count
        for name in ("fixed", "before", "after"):
            grey = decoded(strip[name])
            assert grey.shape == (count * strip["rows"], strip["columns"])
            shown = np.concatenate(getattr(pictures, name)) * 255
            assert np.abs(grey - shown).mean() < 4  # what JPEG costs


def test_letters_and_sizes_are_those_of_the_planes(result, space):
    for strip in viewer_data(Survey.of(result(space)))["strips"]:
        assert len(strip["letters"]) == 4
        assert strip["heightMm"] / strip["rows"] > 0
        assert (strip["widthMm"] / strip["columns"]) == pytest.approx(space.spacing[-1])


def test_the_zoom_is_centred_where_tissue_is_bent(result, bump, space):
    survey = Survey.of(result(space, bump(space)))
    bent = space.to_world(torch.tensor([0.4 * n for n in space.shape], dtype=torch.float64))
    for strip, pictures in zip(viewer_data(survey)["strips"], Pictures.of(survey, 20, 7), strict=True):
        grid = pictures.planes[0].space
        right, down = strip["focus"]
        at = [0.0] * (space.dimension - 2) + [down * grid.shape[-2] - 0.5, right * grid.shape[-1] - 0.5]
        apart = grid.to_world(torch.tensor(at, dtype=torch.float64)) - bent
        in_plane = grid.linear[:, -2:].T @ apart / torch.tensor(grid.spacing[-2:], dtype=torch.float64)
        assert float(in_plane.norm()) < 0.05 * max(space.extent)
        away = (
            [abs(float(plane.space.to_voxels(bent)[0])) for plane in pictures.planes] if space.dimension == 3 else [0]
        )
        assert away[strip["start"]] <= min(away) + 0.5

"""The tutorial's binary short-axis heart: a ring for the left ventricle, half an elliptic ring for the right one."""

import torch

from pullback.image import Image, Labels
from pullback.typing import Tensor

SHAPE = (40, 64)
CENTRE = (20, 32)
LV_CAVITY, LV_OUTER = 6, 12
RV_CAVITY, RV_OUTER = (9, 16), (12, 20)  # half axes along (rows, columns)


def short_axis() -> Image:
    """The 40 x 64 binary heart of the classic registration exercises: 1 in the walls, 0 elsewhere, voxels of 1 mm.

    Example:
        >>> heart = short_axis()
        >>> heart.data.shape, int(heart.data.sum())
        (torch.Size([1, 40, 64]), 438)
    """
    lv_cavity, lv, rv_cavity, rv = _regions()
    walls = (lv & ~lv_cavity) | (rv & ~rv_cavity)
    return Image.of(walls.to(torch.float32))


def short_axis_labels() -> Labels:
    """Labels of the same heart: 1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity.

    The wall of the right ventricle is background, as in the public short-axis segmentations.

    Example:
        >>> short_axis_labels().values
        (1, 2, 3)
    """
    lv_cavity, lv, rv_cavity, _ = _regions()
    labels = torch.zeros(SHAPE, dtype=torch.int16)
    labels[rv_cavity] = 1
    labels[lv] = 2
    labels[lv_cavity] = 3
    return Labels.of(labels)


def _regions() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Left cavity, left ventricle, right cavity and right ventricle (cut in half), each (*SHAPE) bool."""
    y = (torch.arange(SHAPE[0], dtype=torch.float64) - CENTRE[0])[:, None]
    x = (torch.arange(SHAPE[1], dtype=torch.float64) - CENTRE[1])[None, :]
    square = x**2 + y**2
    left = x < 0
    rv_cavity = (x**2 / RV_CAVITY[1] ** 2 + y**2 / RV_CAVITY[0] ** 2 <= 1) & left
    rv = (x**2 / RV_OUTER[1] ** 2 + y**2 / RV_OUTER[0] ** 2 <= 1) & left
    return square <= LV_CAVITY**2, square <= LV_OUTER**2, rv_cavity, rv

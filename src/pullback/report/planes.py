"""Planes: which slices of an image to show, and which way up.

A plane is a grid of one slice, turned as a radiologist looks at it: rows run down, columns run to the right, the
patient's right side is on the left of the screen, the front (or, where there is no front in the plane, the head) on
top. Since it is a `Space`, everything is shown by pulling it back onto the plane, and nothing is ever transposed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pullback.space import Space
from pullback.typing import Tensor

THICK = 2.0
"""A volume whose slices are this many times as thick as its pixels is a stack, and is shown in-plane only."""
FLAT = 8
"""So is a volume with this many times fewer slices than rows."""
SLICE = "slice"
WORLD_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
OBLIQUE = 0.4
"""An axis that leans this much (as a cosine) towards a second world axis is given two letters."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice of an image, turned as it is looked at.

    Attributes:
        space: (rows, columns) of a 2D image, (1, rows, columns) of a volume; in the fixed world.
        direction: what kind of slice it is, for people; empty for a 2D image.
        number: which one of how many; empty for a 2D image.
        letters: the sides of the patient at the top, right, bottom and left of the slice; None where they are unknown.
    """

    space: Space
    direction: str = ""
    number: str = ""
    letters: tuple[str, str, str, str] | None = None

    @property
    def title(self) -> str:
        """What the slice is, for people; empty for a 2D image."""
        return f"{self.direction}{' ' if self.direction == SLICE else ', '}{self.number}" if self.number else ""

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width of the slice, whole pixels counted."""
        height, width = self.space.extent[-2:]
        return height, width


def strips(
    space: Space, profiles: Sequence[np.ndarray], box: Sequence[tuple[int, int]], slices: int, across: int
) -> tuple[tuple[Plane, ...], ...]:
    """The planes to show, parallel ones together: a 2D image itself, some slices of a stack, three cuts of a volume.

    Args:
        space: the fixed image's grid.
        profiles: the brightness of its slices along each axis.
        box: the (first, last + 1) voxels along each axis between which there is something to see.
        slices: the most slices of a stack.
        across: how many planes in each direction of a volume that can be cut in any.
    """
    inner = space.crop([first for first, _ in box], [last for _, last in box])
    if space.dimension == 2:
        return ((plane(inner, whole=space),),)
    axis = stack_axis(space)
    found = []
    for a in screen_order(space) if axis is None else [axis]:
        count = across if axis is None else slices
        found.append(tuple(plane(inner, a, index - box[a][0], space) for index in spread(profiles[a], count)))
    return tuple(found)


def spread(profile: np.ndarray, count: int) -> list[int]:
    """All slices if they are few enough, else some, spread over where the image is bright."""
    n = len(profile)
    if n <= count:
        return list(range(n))
    if profile.sum() <= 0:
        return [int((k + 0.5) * n / count) for k in range(count)]
    cumulated = np.cumsum(profile) / profile.sum()
    wanted = [(k + 0.5) / count for k in range(count)]
    return sorted({min(int(index), n - 1) for index in np.searchsorted(cumulated, wanted)})


def stack_axis(space: Space) -> int | None:
    """The axis across the slices of a stack, or None for a volume that can be cut in any direction."""
    if space.dimension == 2:
        return None
    single = [a for a, n in enumerate(space.shape) if n == 1]
    thickest = max(range(3), key=lambda a: space.spacing[a])
    fewest = min(range(3), key=lambda a: space.shape[a])
    if single:
        return single[0]
    if space.spacing[thickest] >= THICK * sorted(space.spacing)[1]:
        return thickest
    if FLAT * space.shape[fewest] <= sorted(space.shape)[1]:
        return fewest
    return None


def screen_order(space: Space) -> list[int]:
    """The axes of a volume, those nearest to head-foot, front-back and right-left first, second and third."""
    normals = [_dominant(_normal(space, a)) for a in range(3)]
    return sorted(range(3), key=lambda a: -normals[a])


def plane(space: Space, axis: int | None = None, index: int = 0, whole: Space | None = None) -> Plane:
    """A slice of a grid, turned as it is looked at.

    Args:
        space: the grid.
        axis: across the slice; None in 2D.
        index: which slice of the grid.
        whole: the whole image's grid, if `space` is a part of it: slices are named and counted there.
    """
    whole = space if whole is None else whole
    turned = _turned(space, axis)
    letters = _letters(turned) if whole.has_orientation else None
    if axis is None:
        return Plane(turned, letters=letters)
    slice_ = turned.crop((index, 0, 0), (index + 1, *turned.shape[1:]))
    number = round(float(whole.to_voxels(slice_.centre)[axis])) + 1
    return Plane(slice_, _direction(whole, axis), f"{number} of {whole.shape[axis]}", letters)


def _turned(space: Space, axis: int | None) -> Space:
    """The grid with its axes in the order (across, down, right), and the last two flipped to run that way."""
    others = [a for a in range(space.dimension) if a != axis]
    up, left = _up_and_left(space, axis)
    directions = space.linear / space.linear.norm(dim=0)

    def fit(rows: int, columns: int) -> float:
        return abs(float(directions[:, rows] @ up)) + abs(float(directions[:, columns] @ left))

    rows, columns = max((others, others[::-1]), key=lambda pair: fit(*pair))
    turned = space.permute([rows, columns] if axis is None else [axis, rows, columns])
    for stored, position, away in ((rows, -2, up), (columns, -1, left)):
        if float(directions[:, stored] @ away) > 0:
            turned = turned.flip(turned.dimension + position)
    return turned


def _up_and_left(space: Space, axis: int | None) -> tuple[Tensor, Tensor]:
    """What should be on top and on the left of the screen, world directions: front and right, or head and right, ..."""
    eye = torch.eye(space.dimension, dtype=torch.float64)
    if axis is None:
        return eye[1], eye[0]
    across = _dominant(_normal(space, axis))
    return {0: (eye[2], eye[1]), 1: (eye[2], eye[0]), 2: (eye[1], eye[0])}[across]


def _normal(space: Space, axis: int) -> Tensor:
    a, b = (space.linear[:, k] for k in range(3) if k != axis)
    normal: Tensor = torch.linalg.cross(a, b)
    return normal


def _dominant(direction: Tensor) -> int:
    return int(direction.abs().argmax())


def _letters(turned: Space) -> tuple[str, str, str, str]:
    down, right = turned.linear[:, -2], turned.linear[:, -1]
    return _side(-down), _side(right), _side(down), _side(-right)


def _side(direction: Tensor) -> str:
    """The letters of a direction, as DICOM writes them: R, or RA where it leans to the front."""
    unit = direction / direction.norm()
    order = sorted(range(len(unit)), key=lambda a: -abs(float(unit[a])))
    shown = [a for k, a in enumerate(order) if k == 0 or abs(float(unit[a])) > OBLIQUE]
    return "".join(WORLD_LETTERS[a][float(unit[a]) < 0] for a in shown[:2])


def _direction(space: Space, axis: int) -> str:
    if stack_axis(space) == axis:
        return SLICE
    if not space.has_orientation:
        return f"axis {axis}"
    normal = _normal(space, axis) / _normal(space, axis).norm()
    across = _dominant(normal)
    name = ("sagittal", "coronal", "axial")[across]
    return name if float(normal[across].abs()) > 0.95 else f"near-{name}"

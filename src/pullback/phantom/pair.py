"""Two images to register, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.image import Image, Labels
from pullback.transforms import Transform


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of the same thing, and the exact map between them.

    Attributes:
        fixed: the image that stays.
        moving: the image that is pulled back; moving(truth(x)) shows what fixed(x) shows.
        truth: fixed world -> moving world, what a registration should find.
        fixed_labels: labels of the fixed image, if there are any.
        moving_labels: labels of the moving image, if there are any.
    """

    fixed: Image
    moving: Image
    truth: Transform
    fixed_labels: Labels | None = None
    moving_labels: Labels | None = None

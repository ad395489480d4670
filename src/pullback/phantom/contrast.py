"""How bright each tissue is, in each kind of image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pullback.errors import InputError

Contrast: TypeAlias = Literal["cine", "t2"]
"""cine: balanced steady-state free precession, bright blood. t2: black-blood T2-weighted turbo spin echo."""


@dataclass(frozen=True)
class Tissue:
    """Brightness of one tissue.

    Attributes:
        level: mean, where 1 is about the brightest blood of a cine.
        fine: standard deviation of its fine texture, as a part of the level.
        coarse: standard deviation of its coarse texture, as a part of the level.
    """

    level: float
    fine: float = 0.0
    coarse: float = 0.0


@dataclass(frozen=True)
class Look:
    """All tissues of one contrast.

    Attributes:
        tissues: by the names that `Anatomy.layers` and `body_layers` use.
        ink: depth of the dark line where fat meets water (chemical shift of the second kind), 0 to 1.
    """

    tissues: dict[str, Tissue]
    ink: float


LOOKS: dict[Contrast, Look] = {
    "cine": Look(
        {
            "air": Tissue(0.01),
            "fat": Tissue(0.60, 0.06, 0.14),
            "muscle": Tissue(0.20, 0.14, 0.14),
            "bone": Tissue(0.08),
            "marrow": Tissue(0.34, 0.15, 0.1),
            "lung": Tissue(0.05, 0.25, 0.1),
            "vessel": Tissue(0.34, 0.0, 0.2),
            "liver": Tissue(0.26, 0.08, 0.08),
            "liver vessel": Tissue(0.44),
            "content": Tissue(0.36, 0.15, 0.3),
            "spleen": Tissue(0.34, 0.06, 0.06),
            "canal": Tissue(0.8, 0.1),
            "artery": Tissue(0.8, 0.04, 0.08),
            "wall": Tissue(0.28, 0.11, 0.08),
            "papillary": Tissue(0.31, 0.08, 0.0),
            "trabecula": Tissue(0.46),
            "blood": Tissue(0.88, 0.04, 0.06),
            "right blood": Tissue(0.80, 0.05, 0.07),
            "atrium": Tissue(0.82, 0.04, 0.06),
        },
        ink=0.75,
    ),
    "t2": Look(
        {
            "air": Tissue(0.01),
            "fat": Tissue(0.58, 0.06, 0.14),
            "muscle": Tissue(0.19, 0.14, 0.14),
            "bone": Tissue(0.05),
            "marrow": Tissue(0.40, 0.15, 0.1),
            "lung": Tissue(0.04, 0.25, 0.1),
            "vessel": Tissue(0.08),
            "liver": Tissue(0.20, 0.12, 0.08),
            "liver vessel": Tissue(0.07),
            "content": Tissue(0.40, 0.25, 0.25),
            "spleen": Tissue(0.66, 0.08, 0.08),
            "canal": Tissue(1.0, 0.05),
            "artery": Tissue(0.05, 0.2),
            "wall": Tissue(0.34, 0.12, 0.10),
            "papillary": Tissue(0.36, 0.08, 0.0),
            "trabecula": Tissue(0.30),
            "blood": Tissue(0.07, 0.35, 0.55),
            "right blood": Tissue(0.08, 0.35, 0.55),
            "atrium": Tissue(0.07, 0.3, 0.5),
        },
        ink=0.7,
    ),
}


def look(contrast: Contrast) -> Look:
    """The brightnesses of one contrast.

    Raises:
        InputError: there is no such contrast.

    Example:
        >>> look("cine").tissues["blood"].level > look("t2").tissues["blood"].level
        True
    """
    if contrast not in LOOKS:
        raise InputError(f"there is no contrast {contrast!r}; choose one of {', '.join(get_args(Contrast))}")
    return LOOKS[contrast]

"""Key figures: a few numbers on a result, each with its unit and what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from pullback.registration import Registration
from pullback.registration.registration import Quality
from pullback.registration.remarks import TAME_VOLUME, number
from pullback.report.curves import similarity_name
from pullback.space import Space
from pullback.transforms import Affine, Transform, split

Verdict = Literal["plain", "good", "look", "bad"]


@dataclass(frozen=True)
class KeyFigure:
    """A number that a reader should see.

    Attributes:
        name: what it is.
        value: the number, as it is read.
        unit: its unit; empty where it has none.
        meaning: what it says, in plain words.
        verdict: plain, good, look (twice) or bad.
    """

    name: str
    value: str
    unit: str
    meaning: str
    verdict: Verdict = "plain"


@dataclass(frozen=True)
class LinearPart:
    """The matrix of a transform, in words.

    Attributes:
        shift_mm: how far the middle of the fixed image is moved.
        angle_degrees: how far everything is turned.
        volume: the factor by which volumes (in 2D: areas) change.
    """

    shift_mm: float
    angle_degrees: float
    volume: float


def key_figures(registration: Registration, linear: LinearPart, deformation_mm: float | None) -> tuple[KeyFigure, ...]:
    """The key figures of a registration, whose transform has these parts."""
    quality = registration.quality
    found = [] if quality is None else [_loss(registration, quality), _overlap(quality), _farthest(quality)]
    found.append(_linear(linear))
    if deformation_mm is not None:
        found.append(
            KeyFigure(
                "Deformation",
                number(deformation_mm),
                "mm",
                "the farthest that tissue is bent, beyond shift, turn and scale",
            )
        )
        if quality is not None:
            found += [_volume(quality), _folding(quality)]
    found.append(KeyFigure("Time", number(registration.seconds), "s", "without reading and writing files"))
    return tuple(found)


def parts(transform: Transform, space: Space) -> tuple[LinearPart, float | None]:
    """The linear part of a transform, and how far the rest moves any voxel, in mm; None where there is no rest."""
    affine, field = split(transform, space)
    return linear_part(affine, space), None if field is None else float(field.square().sum(dim=0).max()) ** 0.5


def linear_part(affine: Affine, space: Space) -> LinearPart:
    """What a matrix does to an image on a grid."""
    u, _, v = torch.linalg.svd(affine.linear)
    turn = u @ v
    d = affine.dimension
    cosine = (float(turn.trace()) - (d - 2)) / 2
    middle = space.centre
    return LinearPart(
        shift_mm=float((affine(middle) - middle).norm()),
        angle_degrees=math.degrees(math.acos(max(-1.0, min(1.0, cosine)))),
        volume=float(torch.linalg.det(affine.linear)),
    )


def _loss(registration: Registration, quality: Quality) -> KeyFigure:
    position = len(registration.recipe.stages) - 1
    while position > 0 and not similarity_name(registration, position):
        position -= 1
    measure = similarity_name(registration, position)
    gain = quality.gain_percent
    return KeyFigure(
        "Loss, before → after",
        f"{number(quality.loss_before, 3)} → {number(quality.loss_after, 3)}",
        f"{abs(gain):.0f} % {'lower' if gain >= 0 else 'higher'}",
        f"how unlike the images are{f' by {measure}' if measure else ''}; 0 is perfect; not a measure of accuracy",
        "plain" if gain > 0 else "bad",
    )


def _overlap(quality: Quality) -> KeyFigure:
    share = 100 * quality.overlap
    verdict: Verdict = "good" if share >= 90 else "plain" if share >= 70 else "look"
    return KeyFigure("Overlap", f"{share:.0f}", "%", "of the fixed image shows something of the moving image", verdict)


def _farthest(quality: Quality) -> KeyFigure:
    return KeyFigure("Farthest pull", number(quality.displacement_mm), "mm",
                     "the largest distance between a point and where it is read in the moving image")  # fmt: skip


def _linear(part: LinearPart) -> KeyFigure:
    value = f"{number(part.shift_mm)} mm, {part.angle_degrees:.1f}°, ×{part.volume:.3g}"
    return KeyFigure("Shift, turn, scale", value, "", "of the linear part: at the middle of the image; of any volume")


def _volume(quality: Quality) -> KeyFigure:
    least, most = TAME_VOLUME
    tame = least <= quality.jacobian_min and quality.jacobian_max <= most
    return KeyFigure(
        "Local volume change",
        f"{number(quality.jacobian_min)} … {number(quality.jacobian_max)}",
        "×",
        "the Jacobian: 0.5 is half the volume, 1 no change, 2 double; 0 or less is a fold",
        "plain" if tame else "look",
    )


def _folding(quality: Quality) -> KeyFigure:
    verdict: Verdict = "good" if quality.fold_percent <= 0 else "look" if quality.fold_percent <= 0.5 else "bad"
    return KeyFigure("Folding", number(quality.fold_percent), "% of voxels",
                     "where several points land on one, and no inverse exists", verdict)  # fmt: skip

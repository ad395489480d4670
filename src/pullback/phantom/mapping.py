"""A series for T1 mapping: one heart seen at several times after an inversion pulse, breathing a little in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.contrast import LOOKS, Look, Tissue
from pullback.phantom.heart import NOISE, fitting_space
from pullback.phantom.noise import add_noise
from pullback.phantom.scene import Scene
from pullback.phantom.seeds import stream
from pullback.phantom.warps import known_warp
from pullback.space import Space
from pullback.transforms import Affine, Transform

INVERSION_MS = (120.0, 200.0, 350.0, 1000.0, 1100.0, 1900.0, 2700.0, 3500.0)
"""Times after the pulse, about those of MOLLI (Messroghli et al., Magnetic Resonance in Medicine 52, 2004)."""

TISSUES = {
    "air": (0.01, 1000.0), "fat": (0.75, 280.0), "muscle": (0.60, 900.0), "bone": (0.08, 500.0),
    "marrow": (0.45, 350.0), "lung": (0.10, 1200.0), "vessel": (0.65, 1500.0), "liver": (0.60, 600.0),
    "liver vessel": (0.70, 1500.0),
    "content": (0.55, 1000.0), "spleen": (0.70, 1100.0), "canal": (0.95, 3500.0), "artery": (0.85, 1600.0),
    "wall": (0.70, 1000.0), "papillary": (0.70, 1000.0), "trabecula": (0.75, 1250.0), "blood": (0.88, 1600.0),
    "right blood": (0.85, 1550.0), "atrium": (0.85, 1600.0),
}  # fmt: skip
"""Brightness after full recovery, and apparent T1 in ms."""


@dataclass(frozen=True, eq=False)
class MappingSeries:
    """Images of one slice or stack, each with its own contrast and its own place of the tissue.

    Attributes:
        images: one for each inversion time, all on one grid.
        labels: 1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity, at rest.
        transforms: for each image, where a point at rest has gone.
        inversion_ms: the times after the pulse.
    """

    images: tuple[Image, ...]
    labels: Labels
    transforms: tuple[Transform, ...]
    inversion_ms: tuple[float, ...]


def inversion_look(inversion_ms: float) -> Look:
    """How bright each tissue is at a time after an inversion: |1 - 2 exp(-t / T1)| of its full brightness.

    Example:
        >>> early, late = inversion_look(200.0), inversion_look(4000.0)
        >>> early.tissues["fat"].level < early.tissues["blood"].level < late.tissues["blood"].level
        True
    """
    textures = LOOKS["cine"].tissues
    tissues = {
        name: Tissue(full * abs(1 - 2 * math.exp(-inversion_ms / t1)), textures[name].fine, textures[name].coarse)
        for name, (full, t1) in TISSUES.items()
    }
    return Look(tissues, ink=0.6)


def mapping_series(
    inversion_ms: Sequence[float] = INVERSION_MS,
    dimension: int = 2,
    space: Space | None = None,
    seed: int = 0,
    noise: float = NOISE,
    shift_mm: float = 6.0,
    bend_mm: float = 2.0,
) -> MappingSeries:
    """A heart at several inversion times, shifted by breathing and bent a little in each image; all of it known.

    Every image is drawn from the formula of the tissue at the place where each voxel came from.

    Args:
        inversion_ms: times after the pulse, one for each image.
        dimension: 2 for one slice, 3 for a stack.
        space: the grid; `heart_space(dimension)` by default.
        seed: the same seed gives the same bits.
        noise: standard deviation of the Rician noise.
        shift_mm: standard deviation of the shift along the patient's back and front; a third of it to the sides.
        bend_mm: the longest displacement of the smooth deformation.

    Raises:
        InputError: fewer than two times, or a space of another dimension.

    Example:
        >>> from pullback.phantom import heart_space
        >>> series = mapping_series((200.0, 900.0, 3000.0), space=heart_space(shape=(48, 48), spacing=(6, 6)))
        >>> len(series.images), series.labels.values
        (3, (1, 2, 3))
    """
    if len(inversion_ms) < 2:
        raise InputError(f"a mapping series needs at least two inversion times; got {len(inversion_ms)}")
    space = fitting_space(space, dimension)
    scene, generator = Scene.at(space, seed), stream(seed, "breathing")
    images, transforms = [], []
    for k, time in enumerate(inversion_ms):
        shift = torch.zeros(dimension, dtype=torch.float64)
        draw = torch.randn(2, generator=generator, dtype=torch.float64)
        shift[0], shift[1] = shift_mm / 3 * draw[0], shift_mm * draw[1]
        bend = known_warp(space, seed=1000 * seed + k, max_mm=bend_mm, smoothness_mm=30.0)
        motion = Affine.translation(shift) @ bend
        clean = scene.image(space, inversion_look(time), motion.inverse())
        images.append(add_noise(clean, noise, seed, f"inversion/{k}"))
        transforms.append(motion)
    return MappingSeries(tuple(images), scene.labels(space), tuple(transforms), tuple(inversion_ms))

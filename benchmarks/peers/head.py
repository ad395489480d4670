"""A head-like object made by code alone: outline, scalp, skull, folded cortex, deep nuclei, texture of many sizes.

Nothing is drawn from a scan. Borders are soft (partial volume): each tissue is a logistic step over about a voxel.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from smooth_fields import FLOAT, random_field


def head(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Brightness 0 .. about 1 (float32), and where the object is (boolean)."""
    size = float(min(shape))
    depth = _depth(rng, shape, size)  # voxels below the skin, negative outside
    # The sheets where a field is 0 are the sulci: fluid on the sheet, cortex on both sides of it, white matter beyond.
    scale = 0.04 * size
    from_sulcus = scale * np.abs(random_field(rng, shape, scale) + 0.5 * random_field(rng, shape, 0.45 * scale))
    brain_depth = depth - 0.065 * size
    image = 0.85 * _soft(depth)  # scalp
    image += (0.10 - image) * _soft(depth - 0.025 * size)  # skull
    image += (0.25 - image) * _soft(brain_depth)  # fluid
    reach = 0.02 * size * random_field(rng, shape, 0.1 * size) + 0.15 * size  # how deep the sulci go
    from_sulcus = np.maximum(from_sulcus, brain_depth - reach)
    grey = _soft(brain_depth - 0.01 * size) * _soft(from_sulcus - 0.008 * size)
    image += (0.55 - image) * grey
    image += (0.90 - image) * _soft(brain_depth - 0.04 * size) * _soft(from_sulcus - 0.03 * size)

    nuclei = random_field(rng, shape, 0.07 * size)
    inner = _soft(brain_depth - 0.18 * size)
    image += (0.66 - image) * inner * _soft((nuclei - 0.7) * 0.05 * size)
    ventricle = random_field(rng, shape, 0.08 * size)
    image += (0.2 - image) * _soft(brain_depth - 0.2 * size) * _soft((ventricle - 1.0) * 0.06 * size)
    texture = np.zeros(shape, FLOAT)
    for scale, strength in ((1.5, 0.03), (3.0, 0.035), (0.03 * size, 0.03), (0.08 * size, 0.03)):
        texture += FLOAT(strength) * random_field(rng, shape, scale)
    image += texture * _soft(depth - 0.01 * size)
    image = np.maximum(image, 0).astype(FLOAT)
    return ndimage.gaussian_filter(image, 0.6), depth > 0


def bias_and_noise(rng: np.random.Generator, image: np.ndarray, stripped: bool = False) -> np.ndarray:
    """The image as a scanner would give it: smooth shading, Rician noise; int16, 1000 for a brightness of 1.

    Args:
        rng: the source of randomness.
        image: brightness 0 .. 1.
        stripped: whether the background stays 0, as after the skull has been taken off.
    """
    bias, noise = 0.06, 0.02
    shaded = image * (1 + FLOAT(bias) * random_field(rng, image.shape, 0.2 * min(image.shape)))
    real, imaginary = (FLOAT(noise) * rng.standard_normal(image.shape, dtype=FLOAT) for _ in range(2))
    seen = np.hypot(shaded + real, imaginary)
    if stripped:
        seen[image < 0.01] = 0
    return np.rint(1000 * seen).clip(0, 32000).astype(np.int16)


def _depth(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> np.ndarray:
    """About the distance to the outline, in voxels: an egg with bumps that keeps clear of the border of the grid."""
    axes = np.meshgrid(*[np.linspace(-1, 1, n, dtype=FLOAT) for n in shape], indexing="ij", sparse=True)
    squares = sum((axis / FLOAT(0.80)) ** 2 for axis in axes) + FLOAT(0.12) * axes[0] * axes[1]
    radius = np.sqrt(squares)
    bumps = FLOAT(0.035) * random_field(rng, shape, 0.15 * size)
    return (FLOAT(0.5) * 0.8 * size * (1 + bumps - radius)).astype(FLOAT)


def _soft(distance: np.ndarray) -> np.ndarray:
    """1 inside (distance > 0), 0 outside, a soft border about one voxel wide."""
    return 1 / (1 + np.exp(np.clip(-3 * distance, -30, 30, dtype=FLOAT)))

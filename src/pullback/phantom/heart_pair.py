"""Two images of one heart, as of two visits: another position, another shape, perhaps another contrast."""

from __future__ import annotations

from pullback.phantom.contrast import Contrast
from pullback.phantom.heart import BIAS, NOISE, fitting_space, scanned
from pullback.phantom.pair import Pair
from pullback.phantom.scene import Scene
from pullback.phantom.warps import AffineRange, known_warp
from pullback.space import Space


def heart_pair(
    dimension: int = 2,
    contrast: Contrast = "cine",
    moving_contrast: Contrast = "cine",
    space: Space | None = None,
    seed: int = 0,
    max_mm: float = 8.0,
    noise: float = NOISE,
    bias: float = BIAS,
) -> Pair:
    """A heart, and the same heart after a random smooth warp and a small affine map, with labels and the exact answer.

    Both images are drawn from the formula of the tissue; neither is resampled from the other. Slices are not blurred
    over their thickness.

    Args:
        dimension: 2 or 3.
        contrast: of the fixed image, cine or t2.
        moving_contrast: of the moving image.
        space: the grid of both; `heart_space(dimension)` by default.
        seed: of heart, warp and noise.
        max_mm: longest displacement of the smooth part.
        noise: standard deviation of the Rician noise, a draw for each.
        bias: strength of the coil shading, a draw for each.

    Raises:
        InputError: an unknown contrast or dimension, a space of another dimension, or a warp that would fold.

    Example:
        >>> from pullback.phantom import heart_space
        >>> pair = heart_pair(space=heart_space(shape=(64, 64), spacing=(4, 4)), moving_contrast="t2")
        >>> pair.fixed_labels.values, pair.truth.dimension
        ((1, 2, 3), 2)
    """
    space = fitting_space(space, dimension)
    scene = Scene.at(space, seed)
    ranges = AffineRange(angle_degrees=8.0, scale=0.05, shear=0.03, shift_mm=6.0)
    truth = known_warp(space, seed, max_mm, smoothness_mm=25.0, affine=ranges)
    return Pair(
        scanned(scene.image(space, contrast, truth), noise, bias, seed, f"fixed {contrast}"),
        scanned(scene.image(space, moving_contrast), noise, bias, seed, f"moving {moving_contrast}"),
        truth,
        scene.labels(space, truth),
        scene.labels(space),
    )

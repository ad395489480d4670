"""A heart in its chest, in short axis: one slice, or a stack of thick ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.contrast import Contrast
from pullback.phantom.heartbeat import Heartbeat
from pullback.phantom.noise import add_bias, add_noise
from pullback.phantom.scene import Scene
from pullback.space import Space

NOISE, BIAS = 0.02, 0.15


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image and what is in it.

    Attributes:
        image: intensities; the brightest blood of a cine is about 1.
        labels: 1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity.
    """

    image: Image
    labels: Labels


def heart_space(
    dimension: int = 2, shape: Sequence[int] | None = None, spacing: Sequence[float] | None = None
) -> Space:
    """The grid of a heart phantom: 192 x 192 voxels of 1.4 mm, in 3D 12 slices of 8 mm, unless told otherwise.

    Args:
        dimension: 2 or 3.
        shape: voxels along each axis, slices first.
        spacing: mm between voxels along each axis.

    Example:
        >>> heart_space(3, spacing=(8, 1.5, 1.5))
        Space(12 x 192 x 192 voxels of 8 x 1.5 x 1.5 mm)
    """
    if dimension not in (2, 3):
        raise InputError(f"a heart phantom is 2D or 3D; got dimension {dimension}")
    size = (12, 192, 192)[3 - dimension :] if shape is None else tuple(shape)
    step = (8.0, 1.4, 1.4)[3 - dimension :] if spacing is None else tuple(spacing)
    if len(size) != dimension or len(step) != dimension:
        raise InputError(f"a {dimension}D heart needs {dimension} numbers for shape and spacing; got {size} and {step}")
    return Space.of_array(size, step)


def heart(
    dimension: int = 2,
    contrast: Contrast = "cine",
    space: Space | None = None,
    seed: int = 0,
    noise: float = NOISE,
    bias: float = BIAS,
    slice_samples: int = 3,
    phase: float = 0.0,
) -> Phantom:
    """A short-axis heart in its chest, with smooth borders and textured tissue.

    The same seed shows the same heart in either contrast; another seed shows another heart. Seed 0 is the plain one.

    Args:
        dimension: 2 for one slice at mid level, 3 for a stack from below the apex to the base.
        contrast: cine (bright blood) or t2 (dark blood).
        space: the grid; `heart_space(dimension)` by default. The heart is put in its middle.
        seed: the same seed gives the same bits.
        noise: standard deviation of the Rician noise.
        bias: strength of the coil shading.
        slice_samples: points over the thickness of a slice that a voxel averages, so that thick slices blur (3D only).
        phase: of the heart beat: 0 and 1 end of diastole, 0.36 end of systole; see `beating_heart`.

    Raises:
        InputError: an unknown contrast or dimension, or a space of another dimension.

    Example:
        >>> heart(space=heart_space(shape=(64, 64), spacing=(4, 4))).labels.values
        (1, 2, 3)
    """
    space = fitting_space(space, dimension)
    scene = Scene.at(space, seed)
    back = Heartbeat.at_phase(scene, phase).inverse()
    clean = scene.image(space, contrast, back, slice_samples)
    return Phantom(scanned(clean, noise, bias, seed, contrast, phase), scene.labels(space, back))


def fitting_space(space: Space | None, dimension: int) -> Space:
    """The space, or the usual one if there is none.

    Raises:
        InputError: it has another dimension.
    """
    if space is None:
        return heart_space(dimension)
    if space.dimension != dimension:
        raise InputError(f"a {dimension}D heart does not fit {space!r}; pass a {dimension}D space")
    return space


def scanned(image: Image, noise: float, bias: float, seed: int, name: str, phase: float = 0.0) -> Image:
    """The image with the coil shading of its series (a name) and the noise of its phase."""
    return add_noise(add_bias(image, bias, seed, name), noise, seed, f"{name}/{phase:.6f}")

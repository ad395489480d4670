"""Smooth random fields and warps of any size, made on a coarse lattice of cubic B-splines: fast at 256^3.

A field is the sum of B-splines with random weights, so it is a formula and not an interpolated picture: smooth to the
second derivative everywhere, and the same field can be asked for on any grid.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

FLOAT = np.float32


def bspline_matrix(places: np.ndarray, knots: int) -> np.ndarray:
    """(places, knots): weight of each knot 0 .. knots-1 at places given in knots; knots are mirrored at both ends."""
    first = np.floor(places).astype(int) - 1
    matrix = np.zeros((len(places), knots))
    period = 2 * (knots - 1)
    for k in range(4):
        knot = first + k
        t = np.abs(places - knot)
        weight = np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.maximum(2 - t, 0) ** 3 / 6)
        folded = np.abs(knot) % period
        folded = np.where(folded >= knots, period - folded, folded)
        np.add.at(matrix, (np.arange(len(places)), folded), weight)
    return matrix


def synthesise(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The spline with `weights`, whose first and last knots lie on the first and last voxels of `shape`."""
    out = weights.astype(FLOAT)
    for n in shape:  # each pass takes the first axis off and puts the finer one at the end
        places = np.linspace(0, out.shape[0] - 1, n)
        out = np.tensordot(out, bspline_matrix(places, out.shape[0]).astype(FLOAT), axes=(0, 1))
    return out


def random_field(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """A field of mean 0 and deviation 1, whose values agree over about `scale` voxels."""
    knots = tuple(max(4, round(n / (1.73 * scale)) + 1) for n in shape)
    field = synthesise(rng.standard_normal(knots), shape)
    return (field - field.mean()) / field.std()


def random_warp(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, largest: float) -> np.ndarray:
    """A warp without folds, (d, *shape) in voxels: the flow of one smooth velocity, 0 at the border of the grid.

    Args:
        rng: the source of randomness.
        shape: the grid.
        sigma: smoothness of the velocity, as a part of each axis (0.09 is 9 %).
        largest: length of the longest displacement, in voxels.
    """
    d = len(shape)
    knots = tuple(max(5, round(1 / (1.73 * sigma)) + 2) for _ in shape)
    lattice = tuple(min(n, max(24, n // 4)) for n in shape)
    step = [(n - 1) / (m - 1) for n, m in zip(shape, lattice, strict=True)]
    velocity = np.stack([synthesise(rng.standard_normal(knots), lattice) for _ in range(d)])
    for axis, n in enumerate(lattice):
        rise = np.clip(np.linspace(0, 1, n) / 0.12, 0, 1)
        fade = np.minimum(rise, rise[::-1])
        velocity *= (np.sin(np.pi / 2 * fade) ** 2).reshape([-1 if a == axis else 1 for a in range(d)])
    velocity *= largest / np.linalg.norm(velocity, axis=0).max()
    flow = exponential(velocity, step)
    flow *= largest / np.linalg.norm(flow, axis=0).max()
    weights = flow
    for axis in range(1, d + 1):
        weights = ndimage.spline_filter1d(weights, 3, axis, mode="mirror")
    return np.stack([synthesise(component, shape) for component in weights])


def exponential(velocity: np.ndarray, step: list[float], squarings: int = 6) -> np.ndarray:
    """Flow of a velocity (d, *lattice) after time 1; lengths in voxels, lattice points `step` voxels apart."""
    lattice = velocity.shape[1:]
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=FLOAT) for n in lattice], indexing="ij"))
    voxels = np.reshape(step, (-1,) + (1,) * len(lattice))
    u = velocity / 2**squarings
    for _ in range(squarings):
        place = index + u / voxels
        u = u + np.stack([ndimage.map_coordinates(c, place, order=3, mode="nearest") for c in u])
    return u


def smallest_jacobian(warp: np.ndarray) -> float:
    """Least determinant of the Jacobian of x + warp(x), with warp (d, *shape) in voxels."""
    d = len(warp)
    jacobian = np.stack([np.stack(np.gradient(component, axis=tuple(range(d)))) for component in warp])
    jacobian = np.moveaxis(jacobian, (0, 1), (-2, -1)) + np.eye(d, dtype=FLOAT)
    return float(np.linalg.det(jacobian).min())


def pull(image: np.ndarray, warp: np.ndarray, order: int = 3) -> np.ndarray:
    """image(x + warp(x)), with warp in voxels."""
    index = np.meshgrid(*[np.arange(n, dtype=FLOAT) for n in image.shape], indexing="ij", sparse=True)
    place = np.stack([i + component for i, component in zip(index, warp, strict=True)])
    return ndimage.map_coordinates(image, place, order=order, mode="nearest", output=image.dtype)

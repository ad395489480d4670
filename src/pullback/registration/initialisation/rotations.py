"""rotations: sets of turns that leave no pose far from all of them."""

from __future__ import annotations

import itertools
import math

import torch

from pullback.transforms.affine import rotation
from pullback.typing import Matrix

PHI, PSI = math.sqrt(2.0), 1.533751168755204288118041
"""Psi is the positive root of psi^4 = psi + 4."""


def plane_turns(step_degrees: float) -> dict[str, Matrix]:
    """All turns of a picture, by name.

    Example:
        >>> list(plane_turns(120.0))
        ['turned by about 0 degrees', 'turned by about 120 degrees', 'turned by about 240 degrees']
    """
    count = max(1, round(360 / step_degrees))
    return {f"turned by about {a:g} degrees": rotation([a], 2) for a in (k * 360 / count for k in range(count))}


def quarter_turns(axes: Matrix) -> dict[str, Matrix]:
    """The 24 rotations that map a box onto one of its kind: axes swapped or flipped, as by a wrong header.

    Args:
        axes: (3, 3), orthonormal columns: the axes of the box in the world.
    """
    found: list[Matrix] = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = torch.zeros(3, 3, dtype=torch.float64)
            for row, (column, sign) in enumerate(zip(order, signs, strict=True)):
                turn[row, column] = sign
            if float(torch.linalg.det(turn)) > 0:
                found.append(axes @ turn @ axes.T)
    return {f"quarter turns, no. {k + 1}": turn for k, turn in enumerate(found)}


def even_turns(count: int) -> dict[str, Matrix]:
    """Rotations spread evenly over all, the same every time: Alexa, Super-Fibonacci spirals, CVPR 2022.

    72 of them leave no rotation farther than some 50 degrees from one.
    """
    found = {}
    for k in range(count):
        share = (k + 0.5) / count
        a, b = 2 * math.pi * (k + 0.5) / PHI, 2 * math.pi * (k + 0.5) / PSI
        r, big = math.sqrt(share), math.sqrt(1 - share)
        found[f"even turns, no. {k + 1}"] = _matrix(
            r * math.sin(a), r * math.cos(a), big * math.sin(b), big * math.cos(b)
        )
    return found


def matching_turns(here: Matrix, there: Matrix) -> dict[str, Matrix]:
    """The four rotations that carry one frame of axes onto another, an axis of inertia having no direction.

    Args:
        here: (3, 3), orthonormal columns, right-handed.
        there: likewise.
    """
    signs = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))
    flips = [torch.diag(torch.tensor(s, dtype=torch.float64)) for s in signs]
    return {f"principal axes, no. {k + 1}": there @ flip @ here.T for k, flip in enumerate(flips)}


def nearest_rotation(matrix: Matrix) -> Matrix:
    """The rotation that is nearest to a matrix, by its polar decomposition."""
    u, _, v = torch.linalg.svd(matrix)
    last = torch.ones(len(matrix), dtype=torch.float64)
    last[-1] = torch.linalg.det(u @ v)
    nearest: Matrix = u @ torch.diag(last) @ v
    return nearest


def _matrix(x: float, y: float, z: float, w: float) -> Matrix:
    """The rotation of a unit quaternion."""
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.tensor(rows, dtype=torch.float64)

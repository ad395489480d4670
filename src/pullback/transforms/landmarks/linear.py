"""Linear maps that carry landmarks onto landmarks, by weighted least squares."""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.transforms.affine import Affine
from pullback.typing import Float, Tensor

FLAT = 1e-6
"""A set of points is flat along a direction in which it reaches no farther than this part of its longest."""


def fit_translation(fixed: Float[Tensor, "n d"], moving: Float[Tensor, "n d"], weight: Float[Tensor, " n"]) -> Affine:
    """The shift of least squares."""
    return Affine.translation(_mean(moving - fixed, weight))


def fit_similarity(
    fixed: Float[Tensor, "n d"], moving: Float[Tensor, "n d"], weight: Float[Tensor, " n"], scaled: bool = True
) -> Affine:
    """The rotation, shift and (if asked for) one scale of least squares; never a reflection.

    Umeyama, IEEE Transactions on Pattern Analysis and Machine Intelligence 13(4), 1991.

    Raises:
        InputError: the landmarks do not determine it.
    """
    d = fixed.shape[1]
    for points, name in ((fixed, "fixed"), (moving, "moving")):
        if spread(points) < d - 1:
            enough = "two landmarks" if d == 2 else "three landmarks that are not on one line"
            raise InputError(f"a rotation in {d}D needs {enough}; the {len(points)} {name} ones do not determine it")
    middle, there = _mean(fixed, weight), _mean(moving, weight)
    x, y = fixed - middle, moving - there
    u, s, vh = torch.linalg.svd(torch.einsum("n,ni,nj->ij", weight, y, x))
    sign = torch.ones(d, dtype=torch.float64)
    sign[-1] = torch.sign(torch.linalg.det(u @ vh))
    scale = (s * sign).sum() / (weight[:, None] * x.square()).sum() if scaled else 1.0
    return Affine.about(scale * (u * sign) @ vh, there - middle, middle)


def fit_affine(fixed: Float[Tensor, "n d"], moving: Float[Tensor, "n d"], weight: Float[Tensor, " n"]) -> Affine:
    """The affine map of least squares.

    Raises:
        InputError: the landmarks do not determine it, or it flattens space.
    """
    d = fixed.shape[1]
    if spread(fixed) < d or spread(moving) < d:
        flat = "one line" if d == 2 else "one plane"
        raise InputError(f"an affine map in {d}D needs {d + 1} landmarks that are not on {flat}; these {len(fixed)} do "
                         "not determine it; choose rigid or similarity")  # fmt: skip
    middle, there = _mean(fixed, weight), _mean(moving, weight)
    root = weight.sqrt()[:, None]
    linear: Tensor = torch.linalg.lstsq(root * (fixed - middle), root * (moving - there)).solution.T
    return Affine.about(linear, there - middle, middle)


def spread(points: Float[Tensor, "n d"]) -> int:
    """The number of directions in which points differ: 0 for one place, 1 on a line, 2 in a plane."""
    if len(points) < 2:
        return 0
    reach = torch.linalg.svdvals(points - points.mean(dim=0))
    return int((reach > FLAT * reach[0]).sum())


def _mean(points: Float[Tensor, "n d"], weight: Float[Tensor, " n"]) -> Float[Tensor, " d"]:
    return (weight[:, None] * points).sum(dim=0) / weight.sum()

"""The thin-plate spline that comes near landmarks, the nearer the surer they are."""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.transforms.affine import Affine
from pullback.transforms.landmarks.linear import fit_affine
from pullback.transforms.thin_plate import ThinPlateSpline, kernel
from pullback.transforms.transform import Transform
from pullback.typing import Float, Tensor

SAME_MM = 1e-6
"""Two places nearer to each other than this are one."""
BENT_MM = 1e-9
"""Landmarks that an affine map carries as near as this need no bending."""


def fit_thin_plate(
    fixed: Float[Tensor, "n d"],
    moving: Float[Tensor, "n d"],
    weight: Float[Tensor, " n"],
    sigma: Float[Tensor, " n"],
) -> Transform:
    """The least bent map through landmarks of sigma 0, and near the others.

    It minimises sum |T(x) - y|^2 / sigma^2 + bending / s^2 (Rohr et al., IEEE Transactions on Medical Imaging 20(6),
    2001). The size s of bends to be expected is taken from the landmarks: how far, root mean square, an affine map
    leaves them apart.

    Raises:
        InputError: the landmarks do not determine an affine map, or two sure ones lie at one place.
    """
    n, d = fixed.shape
    _check_apart(fixed, sigma)
    affine = fit_affine(fixed, moving, weight)
    apart = (affine(fixed) - moving).square().sum(dim=1)
    bends = float(((weight * apart).sum() / weight.sum()).sqrt())
    if bends < BENT_MM:
        return affine
    middle = fixed.mean(dim=0)
    size = float((fixed - middle).square().sum(dim=1).mean().sqrt())
    unit = size**2 if d == 2 else size  # what U grows with
    plane = torch.cat([torch.ones(n, 1, dtype=torch.float64), (fixed - middle) / size], dim=1)
    system = torch.zeros(n + d + 1, n + d + 1, dtype=torch.float64)
    system[:n, :n] = kernel(fixed[:, None] - fixed[None]) / unit + torch.diag((sigma / bends) ** 2)
    system[:n, n:], system[n:, :n] = plane, plane.T
    goal = torch.cat([moving - middle, torch.zeros(d + 1, d, dtype=torch.float64)])
    solution = torch.linalg.solve(system, goal)
    linear, shift = solution[n + 1 :].T / size, solution[n]
    whole = Affine.about(linear, shift, middle)
    weights = torch.linalg.solve(linear, solution[:n].T).T / unit  # the bends come before the affine part
    return whole @ ThinPlateSpline(fixed, weights.to(torch.float32))


def _check_apart(fixed: Float[Tensor, "n d"], sigma: Float[Tensor, " n"]) -> None:
    sure = fixed[sigma == 0]
    distance = torch.cdist(sure, sure) + torch.diag(torch.full((len(sure),), torch.inf, dtype=torch.float64))
    if len(sure) > 1 and float(distance.min()) < SAME_MM:
        raise InputError("two fixed landmarks lie at the same place; leave one out, or give sigma_mm, how uncertain "
                         "they are")  # fmt: skip

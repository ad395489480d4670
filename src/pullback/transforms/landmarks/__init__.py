"""Transforms out of landmarks: places that are known in both images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch

from pullback.errors import InputError
from pullback.image import Points, to_tensor
from pullback.space import Space
from pullback.transforms.landmarks.linear import fit_affine, fit_similarity, fit_translation
from pullback.transforms.landmarks.multilevel import fit_bspline
from pullback.transforms.landmarks.thin_plate import fit_thin_plate
from pullback.transforms.transform import Transform
from pullback.typing import Float, Tensor

Kind = Literal["translation", "rigid", "similarity", "affine", "tps", "bspline"]
KINDS: tuple[str, ...] = get_args(Kind)

Landmarks = Points | Tensor | np.ndarray | Sequence[Any]
"""World points in mm, (N, D)."""


def from_landmarks(
    fixed_points: Landmarks,
    moving_points: Landmarks,
    kind: Kind = "rigid",
    sigma_mm: float | Sequence[float] | Tensor | None = None,
    onto: Space | None = None,
) -> Transform:
    """The transform that carries landmarks of the fixed image to the same landmarks of the moving image.

    Args:
        fixed_points: (N, D) world mm.
        moving_points: (N, D), in the same order.
        kind: translation, rigid, similarity, affine; tps, a thin-plate spline; bspline, a free-form deformation.
        sigma_mm: how uncertain each landmark is, one number for all or one for each; linear maps weigh by it, splines
            come the nearer the surer. None: all alike, and splines meet them all.
        onto: the grid of the fixed image, over which a bspline is laid.

    Raises:
        InputError: the landmarks do not pair up, are too few for the kind, or a bspline has no grid.

    Example:
        >>> corners = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
        >>> from_landmarks(corners, corners + torch.tensor([3.0, 4.0]))
        Affine(2D, determinant 1, offset (3, 4) mm)
    """
    if kind not in KINDS:
        raise InputError(f"there is no kind {kind!r} of transform from landmarks; choose one of {', '.join(KINDS)}")
    fixed, moving = _points(fixed_points, "fixed"), _points(moving_points, "moving")
    if fixed.shape != moving.shape:
        raise InputError(
            f"each fixed landmark needs its moving one; got {_size(fixed)} fixed and {_size(moving)} moving"
        )
    if onto is not None and onto.dimension != fixed.shape[1]:
        raise InputError(f"the landmarks are {fixed.shape[1]}D but the grid is {onto.dimension}D")
    sigma = _sigma(sigma_mm, len(fixed))
    weight = 1 / sigma.clamp(min=max(1e-3 * float(sigma.max()), 1e-9)) ** 2
    weight = weight / weight.max()
    if kind == "translation":
        return fit_translation(fixed, moving, weight)
    if kind in ("rigid", "similarity"):
        return fit_similarity(fixed, moving, weight, scaled=kind == "similarity")
    if kind == "affine":
        return fit_affine(fixed, moving, weight)
    if kind == "tps":
        return fit_thin_plate(fixed, moving, weight, sigma)
    if onto is None:
        raise InputError(
            "a bspline needs the grid of the fixed image to lie on; give it as onto= (--like), or take tps"
        )
    return fit_bspline(fixed, moving, weight, sigma, onto)


def _points(given: Landmarks, name: str) -> Float[Tensor, "n d"]:
    world = given.world if isinstance(given, Points) else given
    tensor = world if isinstance(world, Tensor) else to_tensor(np.asarray(world))
    if tensor.ndim != 2 or tensor.shape[1] not in (2, 3) or len(tensor) < 1:
        raise InputError(f"{name} landmarks must be (N, 2) or (N, 3) numbers in world mm; got {tuple(tensor.shape)}")
    tensor = tensor.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"the {name} landmarks hold NaN or infinity; leave such pairs out of both lists")
    return tensor


def _sigma(sigma_mm: float | Sequence[float] | Tensor | None, count: int) -> Float[Tensor, " n"]:
    sigma = torch.as_tensor(0.0 if sigma_mm is None else sigma_mm, dtype=torch.float64).flatten()
    if len(sigma) not in (1, count) or not bool((sigma >= 0).all()) or not bool(torch.isfinite(sigma).all()):
        raise InputError(f"sigma_mm must be one number >= 0, or one for each of the {count} landmarks; got "
                         f"{sigma.tolist()}")  # fmt: skip
    return sigma.expand(count).clone()


def _size(points: Tensor) -> str:
    return f"{len(points)} of {points.shape[1]} coordinates"

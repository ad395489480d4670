"""A B-spline near scattered landmarks, from coarse to fine."""

from __future__ import annotations

import math

import torch

from pullback import ops
from pullback.ops.sample import bspline
from pullback.space import Space
from pullback.transforms.bspline import BSpline
from pullback.transforms.landmarks.linear import fit_affine, fit_similarity, fit_translation, spread
from pullback.transforms.transform import Transform
from pullback.typing import Field, Float, Tensor

FINEST_VOXELS = 2.0
"""Control points lie no closer than this many voxels of the grid."""
NEAR_VOXELS = 0.01
"""Landmarks without uncertainty count as met when they are this near, in voxels of the grid."""
MOST_LEVELS = 8
REPEATS = 3
"""How often a level fits what it has left itself."""


def fit_bspline(
    fixed: Float[Tensor, "n d"],
    moving: Float[Tensor, "n d"],
    weight: Float[Tensor, " n"],
    sigma: Float[Tensor, " n"],
    onto: Space,
) -> Transform:
    """A linear map after a B-spline over a grid, refined until every landmark is met as well as it is known.

    Multilevel B-spline approximation: Lee, Wolberg and Shin, IEEE Transactions on Visualization and Computer Graphics
    3(3), 1997; each level fits what the coarser ones leave, and gives the sum on its own control grid.
    """
    linear = _linear(fixed, moving, weight)
    wanted = linear.inverse()(moving) - fixed
    bounds = sigma.clamp(min=NEAR_VOXELS * onto.finest)[:, None]
    space = _around(onto, fixed)
    control, values = _coarsest(space)
    for level in range(MOST_LEVELS):
        if level > 0:
            control, values = _halved(control, values)
        for _ in range(REPEATS):
            left = wanted - ops.ffd_points(values, control.to_voxels(fixed))
            length = left.norm(dim=1, keepdim=True)
            if bool((length <= bounds).all()):
                return linear @ BSpline(values.to(torch.float32), control)
            left = left * (1 - bounds / length.clamp(min=1e-12)).clamp(min=0)  # what is within its uncertainty stays
            values = values + _approximation(left, weight, control, fixed)
        if min(s for s, n in zip(control.spacing, space.shape, strict=True) if n > 1) < 2 * FINEST_VOXELS * onto.finest:
            break
    return linear @ BSpline(values.to(torch.float32), control)


def _linear(fixed: Tensor, moving: Tensor, weight: Tensor) -> Transform:
    """The freest linear map that the landmarks determine."""
    d, known = fixed.shape[1], min(spread(fixed), spread(moving))
    if known == d and len(fixed) > d + 1:
        return fit_affine(fixed, moving, weight)
    return fit_similarity(fixed, moving, weight, False) if known >= d - 1 else fit_translation(fixed, moving, weight)


def _around(onto: Space, points: Float[Tensor, "n d"]) -> Space:
    """The grid, grown to hold every landmark."""
    voxels = onto.to_voxels(points)
    low, high = voxels.amin(dim=0).floor().tolist(), voxels.amax(dim=0).ceil().tolist()
    wide = [n > 1 for n in onto.shape]
    start = [min(0, int(v)) if w else 0 for v, w in zip(low, wide, strict=True)]
    stop = [max(n, int(v) + 1) if w else 1 for n, v, w in zip(onto.shape, high, wide, strict=True)]
    return onto.crop(start, stop)


def _coarsest(space: Space) -> tuple[Space, Field]:
    """Control points as far apart as the grid is wide, one beyond each end; a single one along an axis of one voxel."""
    d, step_mm = space.dimension, max(space.extent)
    shape, change = [], torch.eye(d + 1, dtype=torch.float64)
    for axis, (n, mm) in enumerate(zip(space.shape, space.spacing, strict=True)):
        if n == 1:
            shape.append(1)
            continue
        steps = math.ceil(n * mm / step_mm - 1e-6)
        step = n / steps
        shape.append(steps + 3)
        change[axis, axis], change[axis, d] = step, -step - 0.5
    control = Space(tuple(shape), space.matrix @ change)
    return control, torch.zeros(d, *shape, dtype=torch.float64)


def _halved(control: Space, values: Field) -> tuple[Space, Field]:
    """The same spline on half the step, by the two-scale relation 1 4 6 4 1 of cubic B-splines."""
    d = control.dimension
    change, shape = torch.eye(d + 1, dtype=torch.float64), []
    for axis, m in enumerate(control.shape):
        if m == 1:
            shape.append(1)
            continue
        left, middle, right = (values.narrow(axis + 1, k, m - 2) for k in range(3))
        on, between = (
            (left + 6 * middle + right) / 8,
            (values.narrow(axis + 1, 0, m - 1) + values.narrow(axis + 1, 1, m - 1)) / 2,
        )
        finer = torch.stack([between.narrow(axis + 1, 0, m - 2), on], dim=axis + 2).flatten(axis + 1, axis + 2)
        values = torch.cat([finer, between.narrow(axis + 1, m - 2, 1)], dim=axis + 1)
        shape.append(2 * m - 3)
        change[axis, axis], change[axis, d] = 0.5, 0.5
    return Space(tuple(shape), control.matrix @ change), values


def _approximation(
    left: Float[Tensor, "n d"], weight: Float[Tensor, " n"], control: Space, points: Float[Tensor, "n d"]
) -> Field:
    """Coefficients that take each landmark some of its way: the mean of what each would ask for by itself."""
    index, share = _reach(control, points)  # (n, k)
    asked = share[..., None] * left[:, None] / share.square().sum(dim=1)[:, None, None]
    counts = weight[:, None] * share.square()
    total, norm = torch.zeros(control.count, left.shape[1], dtype=torch.float64), torch.zeros(control.count).double()
    total.index_add_(0, index.flatten(), (counts[..., None] * asked).flatten(0, 1))
    norm.index_add_(0, index.flatten(), counts.flatten())
    values: Tensor = total / norm.clamp(min=1e-300)[:, None]
    return values.T.reshape(-1, *control.shape)


def _reach(control: Space, points: Float[Tensor, "n d"]) -> tuple[Tensor, Tensor]:
    """The control points around each point, as indices into the flat grid, and the spline's weights of them."""
    at = control.to_voxels(points)
    index, share = torch.zeros(len(at), 1, dtype=torch.long), torch.ones(len(at), 1, dtype=torch.float64)
    for axis, m in enumerate(control.shape):
        if m == 1:
            near, four = torch.zeros(len(at), 1, dtype=torch.long), torch.ones(len(at), 1, dtype=torch.float64)
        else:
            cell = at[:, axis].floor().clamp(1, m - 3)
            near = cell.long()[:, None] + torch.arange(-1, 3)
            four = bspline.weights(at[:, axis] - cell).T
        index = (index[:, :, None] * m + near[:, None]).flatten(1)
        share = (share[:, :, None] * four[:, None]).flatten(1)
    return index, share

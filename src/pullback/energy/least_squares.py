"""Loss, gradient and curvature of energies that are sums of squares of a matrix, from one pass over the images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch

from pullback import ops
from pullback.energy.energy import Energy
from pullback.energy.pair import Pair, counted_weight, where_read
from pullback.energy.similarity import MSE, NCC
from pullback.errors import RecipeError
from pullback.transforms import Transform
from pullback.typing import Float, Tensor

LEVEL_STRIDE = 61
"""The level taken off the fixed image, which only rounding depends on, is the mean of every 61st voxel."""
ROUNDING = 3e-7
"""A variance below this part of the mean square is what single precision makes of a constant image."""


def is_least_squares(energy: Energy) -> bool:
    """Whether an energy is a sum of squares whose parts `least_squares` knows."""
    return isinstance(energy.similarity, MSE | NCC) and energy.regulariser is None


def least_squares(
    energy: Energy, pair: Pair, build: Callable[[Tensor], Transform], values: Float[Tensor, " n"]
) -> tuple[float, Float[Tensor, " n"], Float[Tensor, "n n"]]:
    """The energy at the values of a model, its gradient, and the curvature of Gauss and Newton.

    The curvature takes the pair's random places, where it has some, for the middles of their cells.

    Args:
        energy: one for which `is_least_squares`.
        pair: on a grid or at random places.
        build: values -> the transform, a matrix.
        values: where.

    Raises:
        RecipeError: the transform is not a matrix.
    """
    values = values.detach().requires_grad_()
    matrix, field, mix = where_read(pair, build(values))
    if field is not None and field.requires_grad:
        raise RecipeError("LevenbergMarquardt needs an initial transform that is a matrix; got a deformation: put the "
                          "linear stages first, or choose LBFGS")  # fmt: skip
    with torch.no_grad():
        moved = None if pair.moving_weight is None else counted_weight(pair, (matrix, field, mix))
    weight = pair.fixed_weight if moved is None else moved
    channels = pair.fixed.shape[1]
    slopes = _slopes(matrix, values)
    loss, by_matrix, by_mix = 0.0, torch.zeros_like(matrix), torch.zeros_like(mix)
    curvature = values.new_zeros(len(values), len(values))
    for c in range(channels):
        fixed, moving = pair.fixed[:, c : c + 1], pair.moving[:, c : c + 1]
        level = float(fixed.flatten()[::LEVEL_STRIDE].mean())
        found = ops.pair_sums(fixed, moving, matrix.detach(), field, mix.detach(), weight, level)
        value, (of_one, of_fixed, of_change), part = (_mse if isinstance(energy.similarity, MSE) else _ncc)(found)
        loss += value / channels
        for k, factor in enumerate((of_one, of_fixed, of_change)):
            by_matrix = by_matrix + factor / channels * found.by_matrix[k]
            by_mix = by_mix + factor / channels * found.by_mix[k]
        curvature = curvature + slopes.T @ part @ slopes / channels
    outputs, upstream = ((matrix,), (by_matrix,)) if field is None else ((matrix, mix), (by_matrix, by_mix))
    (gradient,) = torch.autograd.grad(outputs, values, upstream)
    return loss, gradient, curvature


def _slopes(matrix: Tensor, values: Float[Tensor, " n"]) -> Float[Tensor, "m n"]:
    """How the entries of the matrix change with the values."""
    each = torch.eye(matrix.numel(), dtype=matrix.dtype)
    (slopes,) = torch.autograd.grad(matrix.flatten(), values, each, retain_graph=True, is_grads_batched=True)
    result: Tensor = slopes
    return result


Parts: TypeAlias = tuple[float, tuple[float, float, float], Float[Tensor, "n n"]]
"""The loss of one channel; what each sum of `PairSums` counts in its gradient; its curvature in the matrix."""


def _mse(sums: ops.PairSums) -> Parts:
    """Mean d^2, and Gauss and Newton's 2 mean(J J)."""
    n = max(float(sums.moments[0]), 1e-6)
    size = sums.by_matrix[0].numel()
    return float(sums.moments[4]) / n, (0.0, 0.0, 2 / n), 2 / n * sums.curvature.reshape(size, size)


def _ncc(sums: ops.PairSums) -> Parts:
    """1 - correlation, which is half the mean squared difference of the images less their mean, over their spread."""
    n, i, d, ii, dd, id_ = sums.moments.tolist()
    n = max(n, 1e-6)
    mean_i, mean_j = i / n, (i + d) / n
    var_i, var_j = ii / n - mean_i**2, (ii + 2 * id_ + dd) / n - mean_j**2
    size = sums.by_matrix[0].numel()
    if var_i <= ROUNDING * ii / n or var_j <= ROUNDING * (ii + 2 * id_ + dd) / n:
        return 1.0, (0.0, 0.0, 0.0), torch.zeros(size, size, dtype=torch.float64)
    cov = ii / n + id_ / n - mean_i * mean_j
    root = math.sqrt(var_i * var_j)
    a, b = -1 / (root * n), cov * var_i / (root**3 * n)  # of the fixed and of the warped value
    factors = (-a * mean_i - b * mean_j, a + b, b)
    one, fixed, change = (part.flatten() / n for part in sums.by_matrix)
    along = (fixed + change - mean_j * one) / math.sqrt(var_j)
    curvature = sums.curvature.reshape(size, size) / n - torch.outer(one, one) - torch.outer(along, along)
    return 1 - cov / root, factors, curvature / var_j

"""coupled: the smoothest cheap choice among displacements whose costs are known for each place."""

from __future__ import annotations

import torch

from pullback import ops
from pullback.typing import Batch, Field, Float, Matrix, Shape, Tensor

COUPLING = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""How firmly each place is held to its surroundings, from round to round: costs per squared step."""
ROUNDS_BACK = 10
"""How often the two directions are brought nearer to each other's inverse."""


@torch.no_grad()
def costs(fixed: Batch, moving: Batch, first: Matrix, window: list[Tensor], weight: Tensor) -> Float[Tensor, "n m"]:
    """The mean squared difference of features, for each displacement of a window at each place.

    Args:
        fixed: (1, k, *shape), on the grid of places.
        moving: (1, k, *size), on a grid in step with it.
        first: (D, D+1), places -> voxels of the moving grid without displacement.
        window: the displacements, (D,) each, in voxels of the moving grid.
        weight: (*shape), how much each place knows; a place that knows nothing has no preference.

    Returns:
        (displacements, places), in units of their mean above the least.
    """
    shape = tuple(fixed.shape[2:])
    table = fixed.new_empty(len(window), *shape)
    for k, step in enumerate(window):
        matrix = first.clone()
        matrix[:, -1] += step
        table[k] = (ops.sample(moving, matrix, shape=shape) - fixed).square_().mean(dim=(0, 1))
    table -= table.amin(dim=0)
    table *= weight
    table /= table.mean().clamp(min=1e-12)
    return table.flatten(1)


@torch.no_grad()
def coupled(table: Float[Tensor, "n m"], steps: Float[Tensor, "n d"], shape: Shape, sigma: float) -> Field:
    """Minimise sum_x C(x, d(x)) + a |d(x) - u(x)|^2 over d and a smooth u by turns, with a growing `a`.

    For a given u the best d is looked up at each place by itself, whatever the shape of C; for a given d, u is d
    smoothed. Heinrich et al., Non-parametric discrete registration with convex optimisation, WBIR 2014.

    Args:
        table: C, the costs of all displacements at all places.
        steps: the displacements, in steps of the window.
        shape: of the grid of places.
        sigma: of the Gaussian that smooths, in places.

    Returns:
        u, (d, *shape), in steps.
    """
    sigmas = [sigma if n > 1 else 0.0 for n in shape]

    def smoothed(choice: Tensor) -> Field:
        return ops.smooth(steps[choice].T.reshape(1, -1, *shape).contiguous(), sigmas)[0]

    length = steps.square().sum(dim=1)
    field = smoothed(table.argmin(dim=0))
    for firm in COUPLING:
        away = length[:, None] - 2 * steps @ field.flatten(1)  # |d - u|^2 but for |u|^2, which is the same for all d
        field = smoothed((table + firm * away).argmin(dim=0))
    return field


@torch.no_grad()
def met_halfway(there: Field, back: Field) -> Field:
    """The first of two fields on one grid, in voxels, after each has been drawn to the other's inverse by turns."""
    eye = torch.eye(len(there), dtype=torch.float64)
    for _ in range(ROUNDS_BACK):
        new = (there - _at(back, there, eye)) / 2
        back = (back - _at(there, back, eye)) / 2
        there = new
    return there


def _at(field: Field, where: Field, mix: Matrix) -> Field:
    """field(x + where(x))."""
    return ops.compose(field[None], where[None], mix)[0] - where

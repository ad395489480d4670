"""How far every cell of one set is from the nearest cell of another, exactly."""

import math

import torch

from pullback.typing import Float, Tensor

MOST_PAIRS = 2e7
"""Up to so many, all pairs are compared; beyond, a distance map is quicker."""


def nearest_distances(cells: Tensor, others: Tensor, steps: Float[Tensor, "world axes"]) -> Float[Tensor, " n"]:
    """For each true cell of `cells`, in the order of `nonzero`, how far the nearest true cell of `others` is, in mm.

    Args:
        cells: (*shape) bool.
        others: (*shape) bool, with at least one true cell.
        steps: one cell's step along each axis, in mm; they may be oblique.

    Example:
        >>> row = torch.tensor([[True, False, False]])
        >>> nearest_distances(row, row.flip(1), torch.diag(torch.tensor([1.0, 3.0])))
        tensor([6.], dtype=torch.float64)
    """
    steps = steps.to(torch.float64)
    gram = steps.T @ steps
    square_steps = torch.diagonal(gram)
    skewed = (gram - torch.diag(square_steps)).abs().max() > 1e-6 * square_steps.max()
    if bool(skewed) or float(cells.sum()) * float(others.sum()) <= MOST_PAIRS:
        return _all_pairs(cells.nonzero().to(steps) @ steps.T, others.nonzero().to(steps) @ steps.T)
    return distance_map(others, square_steps.sqrt().tolist())[cells]


def _all_pairs(points: Tensor, others: Tensor) -> Tensor:
    rows = max(1, math.floor(MOST_PAIRS / 4 / len(others)))
    parts = [
        torch.cdist(part, others, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1)
        for part in torch.split(points, rows)
    ]
    return torch.cat(parts) if parts else points.new_zeros(0)


def distance_map(cells: Tensor, spacing: list[float]) -> Float[Tensor, "*shape"]:
    """The distance from every cell to the nearest true one, on a grid with square corners.

    Squared distances are a minimum along one axis after the other (Saito and Toriwaki, Pattern Recognition 27(11),
    1994); along an axis, all shifts are tried.

    Args:
        cells: (*shape) bool.
        spacing: mm along each axis.

    Example:
        >>> distance_map(torch.tensor([[True, False, False]]), [1.0, 3.0])
        tensor([[0., 3., 6.]], dtype=torch.float64)
    """
    square = torch.full(cells.shape, math.inf, dtype=torch.float64, device=cells.device).masked_fill(cells, 0.0)
    for axis, step in enumerate(spacing):
        before = square.movedim(axis, 0)
        after = before.clone()
        for shift in range(1, len(before)):
            cost = (shift * step) ** 2
            torch.minimum(after[shift:], before[:-shift] + cost, out=after[shift:])
            torch.minimum(after[:-shift], before[shift:] + cost, out=after[:-shift])
        square = after.movedim(0, axis)
    return square.sqrt()

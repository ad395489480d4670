"""Fives as if written by hand, for learning to register without a data set.

A five is two strokes: the bar, and the stem with its bowl. Both are smooth curves through points that are moved a
little for each five, then slanted, widened and turned; the pen is round and of another thickness each time.
"""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.phantom.seeds import stream
from pullback.typing import Float, Tensor

SIDE, HEIGHT = 28, 18
"""Pixels: of the picture, and of the longer side of the line that the pen follows, about as in MNIST."""
BAR = ((0.12, 0.76), (0.13, 0.58), (0.14, 0.38))
BOWL = ((0.14, 0.38), (0.28, 0.35), (0.46, 0.32), (0.40, 0.52), (0.53, 0.73), (0.75, 0.71), (0.89, 0.50), (0.83, 0.24))
"""Points (row, column) that the strokes go through, in heights of the digit; the first of the bowl ends the bar."""
BEND, SAMPLES = 0.08, 12
"""How far points are moved at most (heights), and how many places of a curve lie between two of them."""
AT_ONCE = 100


def handwritten_fives(count: int, seed: int = 0) -> Float[Tensor, "count 28 28"]:
    """Fives from 0 (paper) to 1 (ink), each written differently, in the middle of the picture.

    Args:
        count: how many.
        seed: the same seed gives the same fives; fewer of them are the first of more.

    Raises:
        InputError: fewer than one.

    Example:
        >>> handwritten_fives(3).shape
        torch.Size([3, 28, 28])
    """
    if count < 1:
        raise InputError(f"at least one five is needed; got {count}")
    points = torch.tensor(BAR + BOWL[1:])
    drawn = torch.rand(count, points.numel() + 4, generator=stream(seed, "fives"))
    points = points + BEND * (2 * drawn[:, 4:].reshape(count, *points.shape) - 1)
    lines = torch.cat([_curve(points[:, : len(BAR)]), _curve(points[:, len(BAR) - 1 :])], dim=1)
    slant, width, turn, pen = (drawn[:, :4] * torch.tensor([0.6, 0.35, 0.3, 1.1])).T
    one = torch.ones_like(slant)
    lines = lines @ torch.stack([one, 0.1 - slant, 0.15 - turn, 0.75 + width], dim=1).reshape(count, 2, 2)
    low, high = lines.amin(dim=1, keepdim=True), lines.amax(dim=1, keepdim=True)
    lines = (lines - (low + high) / 2) * HEIGHT / (high - low).amax(dim=2, keepdim=True) + (SIDE - 1) / 2
    parts = [slice(k, k + AT_ONCE) for k in range(0, count, AT_ONCE)]  # distances of all at once take much memory
    return torch.cat([_inked(lines[part], pen[part, None] + 0.75) for part in parts])


def _curve(points: Float[Tensor, "b k 2"]) -> Float[Tensor, "b n 2"]:
    """Places along a smooth curve through the points. Catmull and Rom, 1974."""
    first, last = 2 * points[:, :1] - points[:, 1:2], 2 * points[:, -1:] - points[:, -2:-1]
    ends, t = torch.cat([first, points, last], dim=1), torch.linspace(0, 1, SAMPLES)
    powers = torch.stack([torch.ones_like(t), t, t**2, t**3], dim=1)
    weights = powers @ torch.tensor([[0.0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return torch.cat([weights @ ends[:, k : k + 4] for k in range(points.shape[1] - 1)], dim=1)


def _inked(lines: Float[Tensor, "b n 2"], radius: Float[Tensor, "b 1"]) -> Float[Tensor, "b 28 28"]:
    """Black within the pen's radius of a line, with a border a pixel wide."""
    axis = torch.arange(float(SIDE))
    far: Tensor = torch.cdist(torch.cartesian_prod(axis, axis).expand(len(lines), -1, -1), lines).amin(dim=2)
    return (radius - far + 0.5).clamp(0, 1).reshape(-1, SIDE, SIDE)

"""Chests as on small X-ray films, each of another build and another exposure; nothing moves, so no answer is known."""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.phantom.seeds import stream
from pullback.typing import Float, Tensor

SIDE = 28
SOFT = 0.05
"""Width of a border, in half sides of the picture."""
NOISE = 0.02


def chest_films(count: int, seed: int = 0) -> Float[Tensor, "count 28 28"]:
    """Chests from 0 (black) to 1 (white): two dark lungs, spine, heart, diaphragm, ribs, shoulders.

    Args:
        count: how many.
        seed: the same seed gives the same chests; fewer of them are the first of more.

    Raises:
        InputError: fewer than one.

    Example:
        >>> chest_films(2).shape
        torch.Size([2, 28, 28])
    """
    if count < 1:
        raise InputError(f"at least one chest is needed; got {count}")
    return torch.stack([_chest(seed, number) for number in range(count)])


def _chest(seed: int, number: int) -> Float[Tensor, "28 28"]:
    draw = stream(seed, "chest", number)
    size, lean, x0, y0, wide, tall, heart, floor, bones, gain, shade = (2 * torch.rand(11, generator=draw) - 1).tolist()
    axis = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    y, x = (y - 0.12 * y0) / (1 + 0.12 * size), (x - 0.1 * x0) / (1 + 0.12 * size)
    x = x - 0.1 * lean * y
    lungs = torch.zeros_like(x)
    for side in (-1, 1):
        across = (side * x - 0.43 - 0.08 * y) / (0.29 + 0.05 * wide)
        down = (y - 0.08) / (0.76 + 0.1 * tall)
        lungs = torch.maximum(lungs, _inside(1 - (across.abs() ** 2.5 + down.abs() ** 2.5 + 1e-6) ** 0.4, 0.25))
    shadow = 1 - torch.hypot((x - 0.16) / (0.34 + 0.06 * heart), (y - 0.36) / 0.36)  # of the heart
    below = y - 0.58 - 0.08 * floor + 0.12 * torch.cos(3.2 * (x.abs() - 0.42))  # of the diaphragm
    lungs = lungs * (1 - _inside(shadow, 0.2)) * (1 - _inside(below, 0.15))
    ribs = 0.06 * torch.cos(13 * (y + 0.35 * x**2) + bones) * _inside(0.85 - x.abs(), 0.2)
    body = _inside(0.98 + 0.1 * wide - (x.abs() + 0.35 * (-0.55 - y).clamp(min=0)), 0.2)
    spine = 0.1 * torch.exp(-((x / 0.1) ** 2))
    film = body * (0.68 + spine + ribs - (0.36 + 0.06 * bones) * lungs) + 0.08 * shade * x
    film = 0.5 + (0.8 + 0.3 * gain) * (film - 0.5) + 0.08 * shade
    noisy: Tensor = film + NOISE * torch.randn(SIDE, SIDE, generator=draw)
    return noisy.clamp(0, 1)


def _inside(level: Tensor, width: float) -> Tensor:
    """From 0 to 1 where a function becomes positive."""
    return torch.sigmoid(level / (SOFT + width / 8))

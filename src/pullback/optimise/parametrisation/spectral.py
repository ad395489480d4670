"""Powers of 1 - reach^2 x Laplacian, which make a field smooth: by cosines, since nothing flows through the border."""

from __future__ import annotations

import math

import torch

from pullback.space import Space
from pullback.typing import Field, Tensor


def damped(field: Field, space: Space, reach_mm: float, power: float) -> Field:
    """(1 - reach^2 x Laplacian)^-power of each component of a field, with the Laplacian of neighbouring voxels.

    Waves are damped by (1 + reach^2 x wave number^2)^-power, shifts not at all; the field goes on beyond its border as
    in a mirror.

    Args:
        field: (..., *space.shape).
        space: its grid.
        reach_mm: waves shorter than 2 pi times this are damped by 2^power or more.
        power: any number above 0; halves are square roots.
    """
    d = space.dimension
    wide = [(axis, n) for axis, n in enumerate(space.shape) if n > 1]
    stiff = torch.ones([1] * d, dtype=torch.float64)
    for axis, n in wide:
        curve = 2 - 2 * torch.cos(math.pi * torch.arange(n, dtype=torch.float64) / n)
        along = [n if a == axis else 1 for a in range(d)]
        stiff = stiff + ((reach_mm / space.spacing[axis]) ** 2 * curve).view(along)
    waves = field
    for axis, _ in wide:
        waves = _cosines(waves, axis - d)
    waves = waves * (stiff**-power).to(field)
    for axis, _ in wide:
        waves = _voxels(waves, axis - d)
    return waves


def _cosines(values: Tensor, axis: int) -> Tensor:
    """The discrete cosine transform (of type 2) along an axis. Makhoul, IEEE TASSP 28(1), 1980."""
    line = values.movedim(axis, -1)
    n = line.shape[-1]
    spectrum = torch.fft.fft(torch.cat([line[..., ::2], line[..., 1::2].flip(-1)], dim=-1))
    waves: Tensor = (spectrum * _turn(n, spectrum)).real.movedim(-1, axis)
    return waves


def _voxels(waves: Tensor, axis: int) -> Tensor:
    """The inverse of `_cosines`."""
    line = waves.movedim(axis, -1)
    n = line.shape[-1]
    behind = torch.cat([torch.zeros_like(line[..., :1]), line[..., 1:].flip(-1)], dim=-1)
    spectrum = torch.complex(line, -behind)
    folded = torch.fft.ifft(spectrum / _turn(n, spectrum)).real
    values = torch.empty_like(folded)
    values[..., ::2], values[..., 1::2] = folded[..., : (n + 1) // 2], folded[..., (n + 1) // 2 :].flip(-1)
    return values.movedim(-1, axis)


def _turn(n: int, like: Tensor) -> Tensor:
    """exp(-i pi k / 2n)."""
    turn: Tensor = torch.exp(-0.5j * math.pi / n * torch.arange(n, dtype=torch.float64)).to(like)
    return turn

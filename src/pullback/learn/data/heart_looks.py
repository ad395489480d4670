"""How drawn hearts look: random brightness of every tissue, texture, shading, noise and blur."""

from __future__ import annotations

import torch
from torch.nn import functional

from pullback.learn.data.heart_shapes import CAVITY, FAT, OUTER, PAPILLARY, RIGHT, RIGHT_OUTER, smooth_noise, uniform
from pullback.typing import Batch, Tensor

KINDS = 6
"""Random tissues around the heart."""
ORDER = (FAT, RIGHT_OUTER, RIGHT, OUTER, CAVITY, PAPILLARY)
"""Each covers those before it."""
LEVELS = len(ORDER) + KINDS + 1
SOFT_MM = 0.7
LOW, HIGH = 0.001, 0.998
"""They become 0 and 1, as in `scaling.PERCENTILES`."""


def shown(
    rest: tuple[Batch, Batch], displaced: tuple[Batch, Batch], other_contrast: float, draw: torch.Generator
) -> tuple[Batch, Batch]:
    """Two images (b, 1, *shape) in [0, 1], of the tissues and surroundings of each."""
    first = levels(len(rest[0]), draw)
    alike = first * (1 + 0.08 * torch.randn(first.shape, generator=draw, device=draw.device))
    other = uniform(draw, 0, 1, len(first), 1) < other_contrast
    second = torch.where(other, levels(len(first), draw), alike.clamp(0, 1))
    grain = uniform(draw, 0, 0.12, len(first), 2, 1, 1)
    margin = _margin(rest[0].shape[-2:], len(first), draw)
    pictures = [_painted(*parts, level, grain) for parts, level in ((rest, first), (displaced, second))]
    noise = uniform(draw, 0, 0.08, len(first), 1, 1, 1)
    scanned = [_scanned(picture, noise, margin, draw) for picture in pictures]
    return scanned[0], scanned[1]


def levels(count: int, draw: torch.Generator) -> Tensor:
    """(b, LEVELS): brightness of the tissues in their ORDER, of the surroundings, and of air: cine-like or anything."""
    any_ = uniform(draw, 0, 1, count, LEVELS)
    cine = any_.clone()
    blood, wall = uniform(draw, 0.6, 1.0, count), uniform(draw, 0.1, 0.4, count)
    cine[:, 0] = uniform(draw, 0.3, 1.0, count)
    cine[:, 1], cine[:, 3] = wall * uniform(draw, 0.8, 1.2, count), wall
    cine[:, 2], cine[:, 4] = blood * uniform(draw, 0.75, 1.1, count), blood
    cine[:, 5] = wall * uniform(draw, 0.9, 1.8, count)
    cine[:, 6:] = 0.75 * any_[:, 6:] ** 1.5
    any_[:, 5] = torch.lerp(any_[:, 3], any_[:, 4], uniform(draw, 0, 0.4, count))
    chosen = torch.where(uniform(draw, 0, 1, count, 1) < 0.65, cine, any_)
    chosen[:, -1] *= 0.1
    return chosen


def _painted(tissues: Batch, around: Batch, level: Tensor, grain: Tensor) -> Batch:
    level = level[:, :, None, None]
    value = (around[:, :KINDS] * level[:, len(ORDER) : -1]).sum(dim=1)
    body = around[:, -1]
    value = torch.lerp(level[:, -1].expand_as(value), value, body)
    for k, tissue in enumerate(ORDER):
        value = torch.lerp(value, level[:, k].expand_as(value), torch.sigmoid(-tissues[:, tissue] / (0.6 * SOFT_MM)))
    texture = 1 + grain[:, 0] * around[:, KINDS] + grain[:, 1] * around[:, KINDS + 1]
    return (value * texture.clamp(min=0))[:, None]


def _scanned(picture: Batch, noise: Tensor, margin: Batch, draw: torch.Generator) -> Batch:
    count, shape = len(picture), picture.shape[2:]
    shade = smooth_noise(draw, count, 1, shape, (3, 3)) * uniform(draw, 0, 0.35, count, 1, 1, 1)
    picture = _blurred(picture * torch.exp(shade), uniform(draw, 0.05, 1.1, count))
    real, imaginary = torch.randn(2, *picture.shape, generator=draw, device=draw.device)
    picture = torch.hypot(picture + noise * real, noise * imaginary) * margin
    flat = picture.flatten(1).sort(dim=1).values
    n = flat.shape[1]
    low, high = (flat[:, round((n - 1) * share)][:, None, None, None] for share in (LOW, HIGH))
    picture = ((picture - low) / (high - low).clamp(min=1e-3)).clamp(0, 1)
    return picture ** torch.exp(uniform(draw, -0.35, 0.35, count, 1, 1, 1))


def _blurred(picture: Batch, sigma: Tensor) -> Batch:
    """Each picture by a Gaussian of its own, voxels."""
    taps = torch.exp(-((torch.arange(-3, 4, device=sigma.device) / sigma[:, None]) ** 2) / 2)
    taps = (taps / taps.sum(dim=1, keepdim=True))[:, None]
    count = len(picture)
    x = functional.pad(picture.transpose(0, 1), (3, 3, 3, 3), mode="replicate")
    x = functional.conv2d(x, taps[:, :, :, None], groups=count)
    return functional.conv2d(x, taps[:, :, None, :], groups=count).transpose(0, 1)


def _margin(shape: torch.Size, count: int, draw: torch.Generator) -> Batch:
    """(b, 1, *shape): 0 beyond the field of view of some pairs."""
    sides = uniform(draw, 0, 0.18, count, 4) * (uniform(draw, 0, 1, count, 1) < 0.25)
    rows, columns = (torch.linspace(0, 1, n, device=draw.device) for n in shape)
    inside = (
        (rows >= sides[:, :1]) & (rows <= 1 - sides[:, 1:2]),
        (columns >= sides[:, 2:3]) & (columns <= 1 - sides[:, 3:]),
    )
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None].to(torch.float32)

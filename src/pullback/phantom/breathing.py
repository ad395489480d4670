"""A breathing chest: two lungs and what lies below them move up and down along a wall and a spine that stay."""

from __future__ import annotations

import math

import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.noise import add_noise
from pullback.phantom.pair import Pair
from pullback.phantom.seeds import stream
from pullback.phantom.texture import Texture
from pullback.space import Space
from pullback.transforms import Displacement
from pullback.typing import Float, Tensor

SPINE, WALL, TOP, FLOOR, RIM = 18.0, 92.0, -108.0, 40.0, 118.0
"""Coronal distances in mm: half the width of what stays in the middle, the inner side of the wall, the tip of the
lungs, the diaphragm beside its dome, and where nothing moves any more."""
EDGE = 1.2
"""Width in mm over which one tissue becomes the next, as in a scan."""
ROUND = 25.0
"""How much the tips of the lungs are rounded, mm."""


def breathing_chest(slide_mm: float = 15.0, space: Space | None = None, seed: int = 0, noise: float = 0.02) -> Pair:
    """A coronal slice of a chest breathed out, and breathed in: lungs that slide along the ribs.

    Beside the spine and within the wall all tissue moves down, at the diaphragm by `slide_mm`, less and less towards
    the tips of the lungs and towards the lower rim; the wall, its ribs and the spine stay. So the motion jumps at the
    straight sides of the lungs, along them. Both images are drawn from formulas, neither is resampled from the other.

    Args:
        slide_mm: the largest motion; 30 at most, then tissue at the lower rim is pressed to nearly nothing.
        space: the grid of both images; 128 x 128 voxels of 2 mm by default.
        seed: of tissue and noise.
        noise: standard deviation of the noise, a draw for each.

    Returns:
        A pair with labels 1 (lungs), 2 (below the diaphragm), 3 (what stays). The truth is exact at the voxels of the
        fixed image; at the border it jumps from one voxel to the next.

    Raises:
        InputError: a motion beyond 30 mm, or a space that is not 2-D.

    Example:
        >>> pair = breathing_chest(slide_mm=10.0)
        >>> pair.fixed_labels.values, round(float(pair.truth.field.norm(dim=0).max()))
        ((1, 2, 3), 10)
    """
    space = Space.of_array((128, 128), 2.0) if space is None else space
    if space.dimension != 2:
        raise InputError(f"the breathing chest is a slice; got a space of {space.dimension} dimensions")
    if not 0 <= slide_mm <= 30:
        raise InputError(f"lungs slide by 0 to 30 mm here; got {slide_mm}")
    points = space.grid() - space.centre
    x, z = points[..., 0], -points[..., 1]  # z goes down, as rows of an array do
    slides = (x.abs() > SPINE) & (x.abs() < WALL)
    down = torch.zeros(2, *space.shape, dtype=torch.float64)
    down[1] = -torch.where(slides, _motion(z, slide_mm), 0.0)
    fixed, moving = (
        add_noise(Image(_drawn(where, x, z, seed)[None].float(), space), noise, seed, name)
        for name, where in (("fixed", z), ("moving", _tissue(z, slide_mm)))
    )
    tissues = [Labels(_labels(where, x, slides), space) for where in (z, _tissue(z, slide_mm))]
    return Pair(fixed, moving, Displacement(down.float(), space), *tissues)


def _motion(z: Tensor, slide_mm: float) -> Tensor:
    """How far down tissue moves that lies at height z when breathed out."""
    rise = ((z - TOP - ROUND) / (FLOOR - TOP - ROUND)).clamp(0, 1)
    fall = ((RIM - z) / (RIM - FLOOR)).clamp(0, 1)
    return slide_mm * rise**2 * (3 - 2 * rise) * fall**2 * (3 - 2 * fall)


def _tissue(z: Tensor, slide_mm: float) -> Tensor:
    """Where tissue that lies at height z when breathed in came from."""
    came = z.clone()
    for _ in range(60):  # each leaves at most six tenths of the gap
        came = z - _motion(came, slide_mm)
    return came


def _drawn(tissue: Tensor, x: Tensor, z: Tensor, seed: int) -> Float[Tensor, "n m"]:
    """Brightness: what slides, by where its tissue came from; the rest, which stays."""
    draw = stream(seed, "breathing")
    vessels, liver, flesh = (Texture.random(draw, band, dimension=2) for band in ((9, 26), (12, 40), (10, 40)))
    there, here = torch.stack([tissue, x], dim=-1), torch.stack([z, x], dim=-1)
    lung = 0.12 + 0.5 * torch.sigmoid(6 * (vessels(there) - 1.1))
    inner = _blend(_above_diaphragm(tissue, x), lung, 0.6 + 0.05 * liver(there))
    inner = _blend(_below_tip(tissue, x), inner, 0.55 + 0.05 * flesh(here))
    bones = torch.where(x.abs() > WALL, torch.cos(2 * math.pi * (z + 0.3 * x.abs()) / 24), torch.cos(z / 3.5))
    outer = 0.5 + 0.05 * flesh(here) + 0.4 * torch.sigmoid(8 * (bones - 0.4))
    return _blend(torch.minimum(x.abs() - SPINE, WALL - x.abs()), inner, outer)


def _labels(tissue: Tensor, x: Tensor, slides: Tensor) -> Tensor:
    lungs = slides & (_above_diaphragm(tissue, x) > 0) & (_below_tip(tissue, x) > 0)
    below = slides & (_above_diaphragm(tissue, x) <= 0)
    return torch.where(lungs, 1, torch.where(below, 2, 3)).to(torch.uint8)


def _above_diaphragm(z: Tensor, x: Tensor) -> Tensor:
    """Height above the diaphragm's two domes, mm."""
    aside = (x.abs() - (SPINE + WALL) / 2) / ((WALL - SPINE) / 2)
    return FLOOR - 25 * (1 - aside**2) - z


def _below_tip(z: Tensor, x: Tensor) -> Tensor:
    """Depth below the rounded tips of the lungs, mm."""
    aside = (x.abs() - (SPINE + WALL) / 2) / ((WALL - SPINE) / 2)
    return z - TOP - ROUND * aside**2


def _blend(depth: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    share = torch.sigmoid(depth / EDGE)
    return share * inner + (1 - share) * outer

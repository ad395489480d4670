"""HeartShapes: a batch of short-axis hearts as formulas in millimetres, and how they beat.

Each heart's frame has its origin in the middle of the left ventricle; the right one lies towards negative u.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from pullback.typing import Batch, Int, Tensor

OUTER, CAVITY, RIGHT, RIGHT_OUTER, PAPILLARY, FAT = range(6)
"""Channels of `HeartShapes.tissues`: functions that are negative inside, about the distance to the border in mm."""


@dataclass(frozen=True, eq=False)
class HeartShapes:
    """Numbers of each heart of a batch.

    Attributes:
        size: (b, 5) mm: LV cavity radius, LV wall, half axes of the right ventricle along u and v, its wall.
        place: (b, 2) mm of the middle of the right ventricle.
        ripple: (b, 4, 4): for orders 1, 2, 3 and 5 the cosine and sine part of the uneven borders, of cavity and wall.
        muscles: (b, 2, 4): place (as parts of the cavity radius), size in mm and angle of two papillary muscles.
        motion: (b, 5): part of the cavity's area that is left, how far beyond the wall it is felt (mm), twist
            (radians), contraction of the right ventricle, its reach (mm).
        extra: (b, 3): mm of fat, whether there is a right ventricle (0, 1), and papillary muscles (0, 1).
    """

    size: Tensor
    place: Tensor
    ripple: Tensor
    muscles: Tensor
    motion: Tensor
    extra: Tensor

    @classmethod
    def random(cls, count: int, draw: torch.Generator) -> HeartShapes:
        """From near the apex to near the base, small and large, strong and weak."""

        def between(*ranges: tuple[float, float]) -> Tensor:
            return torch.stack([uniform(draw, low, high, count) for low, high in ranges], dim=1)

        size = between((0, 1), (5, 14), (14, 36), (16, 40), (1.5, 4))
        size[:, 0] = 4 + 30 * size[:, 0] ** 0.7
        place = between((0.15, 0.75), (-10, 14))
        place[:, 0] = -(size[:, 0] + size[:, 1] + size[:, 2] * (place[:, 0] - 0.3))
        orders = torch.tensor([0.10, 0.08, 0.04, 0.03], device=draw.device)
        ripple = torch.randn(count, 4, 4, generator=draw, device=draw.device) * orders[:, None] * 0.7
        ripple[:, :, 2:] += 0.7 * ripple[:, :, :2]  # the outer border is like the inner one
        muscles = torch.stack(
            [
                between((0.3, 0.75), (-0.9, -0.2), (2, 6), (0, 3.1)),
                between((0.2, 0.75), (0.2, 0.9), (2, 6), (0, 3.1)),
            ],
            dim=1,
        )
        motion = between((0.04, 0.95), (10, 50), (-0.15, 0.15), (-0.05, 0.5), (12, 26))
        extra = between((0, 8), (0, 1), (0, 1))
        extra[:, 1] = (extra[:, 1] < 0.88).to(extra)
        extra[:, 2] = (extra[:, 2] < 0.6).to(extra) * (size[:, 0] > 12)
        return cls(size, place, ripple, muscles, motion, extra)

    def tissues(self, points: Batch) -> Batch:
        """(b, 6, *shape) at points (b, 2, *shape) mm: see OUTER and the others."""
        r = points.norm(dim=1).clamp(min=1e-3)
        angle = torch.atan2(points[:, 1], points[:, 0])
        waves = [(torch.cos(n * angle), torch.sin(n * angle)) for n in (1, 2, 3, 5)]
        uneven = [
            sum(_each(self.ripple[:, k, part]) * c + _each(self.ripple[:, k, part + 1]) * s
                for k, (c, s) in enumerate(waves)) for part in (0, 2)
        ]  # fmt: skip
        radius, wall, half_u, half_v, right_wall = (_each(n) for n in self.size.T)
        cavity = r - radius * (1 + uneven[0])
        outer = torch.maximum(r - (radius + wall) * (1 + 0.7 * uneven[1]), -cavity.neg() - 1e3)
        outer = torch.minimum(outer, cavity - 0.35 * wall)  # a wall everywhere
        u, v = points[:, 0] - _each(self.place[:, 0]), points[:, 1] - _each(self.place[:, 1])
        flat = torch.sqrt((u / half_u) ** 2 + (v / half_v) ** 2 + 1e-6) * (1 + 0.5 * uneven[1])
        none = 1e3 * (1 - _each(self.extra[:, 1]))
        whole = (flat - 1) * torch.minimum(half_u, half_v) + none
        right = torch.maximum(whole, -outer)
        right_outer = whole - right_wall
        papillary = torch.stack([self._muscle(points, k, radius) for k in (0, 1)]).amin(dim=0)
        papillary = torch.maximum(papillary, cavity) + 1e3 * (1 - _each(self.extra[:, 2]))
        fat = torch.minimum(outer, right_outer) - _each(self.extra[:, 0]) * (0.6 + 0.4 * waves[2][0])
        return torch.stack([outer, cavity, right, right_outer, papillary, fat], dim=1)

    def labels(self, tissues: Batch) -> Int[Tensor, "b *shape"]:
        """1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity."""
        inside = tissues < 0
        labels = inside[:, RIGHT].to(torch.int64)
        labels = torch.where(inside[:, OUTER], 2, labels)
        return torch.where(inside[:, CAVITY], 3, labels)

    def beat(self, points: Batch) -> Batch:
        """The velocity of the beat (b, 2, *shape), mm: the cavities shrink, the wall keeps its area and thickens."""
        left, reach, twist, right, right_reach = (_each(n)[:, None] for n in self.motion.T)
        radius, wall = (_each(n)[:, None] for n in self.size[:, :2].T)
        square = (points**2).sum(dim=1, keepdim=True)
        fall = 1 - _step(square.clamp(min=1e-6).sqrt(), radius + wall, radius + wall + reach)
        inward = 0.5 * (1 - left) * radius**2 / torch.maximum(square, 0.8 * left * radius**2 + 4)
        round_ = torch.stack([-points[:, 1], points[:, 0]], dim=1)
        velocity = fall * (twist * round_ - inward * points)
        septum = torch.cat([-(radius + wall), torch.zeros_like(radius)], dim=1)
        middle = self.place[:, :, None, None]
        near = torch.exp(-((points - middle) ** 2).sum(dim=1, keepdim=True) / (2 * right_reach**2))
        return velocity - right * near * (points - septum) * self.extra[:, 1, None, None, None]

    def _muscle(self, points: Batch, k: int, radius: Tensor) -> Tensor:
        u, v, size, angle = self.muscles[:, k].T
        du, dv = points[:, 0] - _each(u) * radius, points[:, 1] - _each(v) * radius
        c, s = torch.cos(_each(angle)), torch.sin(_each(angle))
        return torch.sqrt((c * du + s * dv) ** 2 + 2 * (c * dv - s * du) ** 2 + 1e-6) - _each(size)


def uniform(draw: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Random numbers on the generator's device."""
    return low + (high - low) * torch.rand(*shape, generator=draw, device=draw.device)


def smooth_noise(draw: torch.Generator, count: int, channels: int, shape: Sequence[int], sides: Sequence[int]) -> Batch:
    """Noise of standard deviation about 1 with so many independent values along each side, smooth between them."""
    coarse = torch.randn(count, channels, *sides, generator=draw, device=draw.device)
    fine = functional.interpolate(coarse, size=tuple(shape), mode="bicubic", align_corners=True)
    return 1.35 * fine


def _each(numbers: Tensor) -> Tensor:
    """(b,) -> (b, 1, 1), to go with (b, *shape)."""
    return numbers[:, None, None]


def _step(x: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    t = ((x - start) / (stop - start)).clamp(0, 1)
    return t * t * (3 - 2 * t)

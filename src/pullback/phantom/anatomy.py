"""The shape of a heart and of what lies around it, as formulas in millimetres.

The heart's own frame has its origin in the middle of the left ventricle at mid level: u runs to the right of the
picture (away from the septum), v down the picture (towards the diaphragm), w along the axis towards the base. Every
region is the set where a function is negative, and that function is close to the distance to its border, so a border
can be drawn as soft as a scanner would see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pullback.phantom.seeds import stream, uniform
from pullback.phantom.shapes import bump, distance, ellipse, polar
from pullback.typing import Float, Int, PointsTensor, Tensor

APEX, WIDEST, BASE = -48.0, 8.0, 38.0
"""Levels along the axis in mm: tip of the outer wall, widest level, and the plane of the valves."""

Layer = tuple[str, Float[Tensor, " n"]]
"""A tissue, and a function that is negative inside it, about the distance to its border in mm."""


@dataclass(frozen=True)
class Anatomy:
    """One heart; `Anatomy.random(seed)` draws another.

    Attributes:
        cavity_mm: radius of the left ventricular cavity at its widest level.
        wall_mm: thickness of the left ventricular wall there.
        rv_mm: half axes (u, v) of the right ventricular cavity's outer ellipse.
        rv_centre_mm: its centre (u, v).
        rv_wall_mm: thickness of the right ventricular wall.
        tilt_degrees: turn of the right ventricle about the left.
        ripple: phases of the uneven borders, radians.

    Example:
        >>> heart = Anatomy.random(0)
        >>> heart.labels(torch.zeros(1, 3))  # the middle is left ventricular blood
        tensor([3], dtype=torch.int16)
    """

    cavity_mm: float = 23.5
    wall_mm: float = 9.5
    rv_mm: tuple[float, float] = (32.0, 33.0)
    rv_centre_mm: tuple[float, float] = (-27.0, 4.0)
    rv_wall_mm: float = 3.0
    tilt_degrees: float = 0.0
    ripple: tuple[float, ...] = (0.3, 1.1, 2.0, 4.0, 0.7, 5.1)

    @classmethod
    def random(cls, seed: int) -> Anatomy:
        """A heart of usual size; seed 0 is the plain one."""
        if seed == 0:
            return cls()
        draw = stream(seed, "anatomy")
        return cls(
            cavity_mm=uniform(draw, 21, 26),
            wall_mm=uniform(draw, 8, 11.5),
            rv_mm=(uniform(draw, 29, 34), uniform(draw, 29, 35)),
            rv_centre_mm=(uniform(draw, -29, -25), uniform(draw, 0, 6)),
            tilt_degrees=uniform(draw, -15, 15),
            ripple=tuple(uniform(draw, 0, 2 * math.pi) for _ in range(6)),
        )

    def cavity_square(self, w: Tensor) -> Tensor:
        """Squared radius of the left ventricular cavity at each level, mm^2; negative beyond its tip."""
        return _dome(self.cavity_mm, APEX + 0.7 * self.wall_mm, w)

    def outer_square(self, w: Tensor) -> Tensor:
        """Squared radius of the left ventricle with its wall at each level, mm^2; negative beyond its tip."""
        return _dome(self.cavity_mm + self.wall_mm, APEX, w)

    def cavity(self, points: PointsTensor) -> Tensor:
        """Negative in the left ventricular cavity, papillary muscles included."""
        r, angle = polar(points)
        p = self.ripple
        uneven = 0.03 * torch.cos(2 * angle + p[0]) + 0.02 * torch.cos(3 * angle + p[1] + 0.02 * points[:, 2])
        lateral = 0.5 - 0.5 * torch.cos(angle - math.pi)  # trabeculae line the free wall, the septum is smooth
        fine = lateral * (
            0.02 * torch.cos(14 * angle + p[2]) + 0.02 * torch.cos(19 * angle + p[3] + 0.1 * points[:, 2])
        )
        return distance(
            r, self.cavity_square(points[:, 2]) * (1 + uneven + fine) ** 2, _slope(self.cavity_mm, points[:, 2])
        )

    def outer(self, points: PointsTensor) -> Tensor:
        """Negative inside the outer border of the left ventricular wall."""
        r, angle = polar(points)
        uneven = 0.015 * torch.cos(2 * angle + self.ripple[4]) + 0.015 * torch.cos(3 * angle + self.ripple[5])
        radius = self.cavity_mm + self.wall_mm
        return distance(r, self.outer_square(points[:, 2]) * (1 + uneven) ** 2, _slope(radius, points[:, 2]))

    def right(self, points: PointsTensor, margin_mm: float = 0.0) -> Tensor:
        """Negative inside the right ventricle's outer ellipsoid, which the left ventricle cuts into."""
        tip = 0.72 * APEX
        size = torch.sqrt((1 - ((points[:, 2] - WIDEST) / (tip - WIDEST)).clamp(min=0) ** 2).clamp(min=0.01))
        half = (self.rv_mm[0] + margin_mm, self.rv_mm[1] + margin_mm)
        flat = ellipse(points, self._turned(self.rv_centre_mm), half, self.tilt_degrees, scale=size)
        corners = 2.6 * torch.cos(3 * polar(points)[1] + 0.4)
        return torch.maximum(flat + corners, tip - 0.6 * margin_mm - points[:, 2])

    def papillary(self, points: PointsTensor) -> Tensor:
        """Negative in the two papillary muscles and the strands beside them."""
        size = (self.cavity_square(points[:, 2]).clamp(min=0).sqrt() / self.cavity_mm).clamp(min=0.05)
        parts = []
        for degrees, half in ((-50.0, (6.4, 4.0)), (-24.0, (2.6, 1.7)), (62.0, (5.2, 4.3)), (40.0, (2.8, 1.8))):
            a = math.radians(degrees + 8 * math.sin(self.ripple[0]))
            reach = (0.74 if half[0] > 4 else 0.84) * self.cavity_mm
            parts.append(ellipse(points, (reach * math.cos(a), reach * math.sin(a)), half, degrees, scale=size))
        low = torch.maximum(points[:, 2] - 14, APEX + 14 - points[:, 2])  # they stand between apex and mid level
        return torch.maximum(torch.stack(parts).amin(dim=0), low)

    def _turned(self, place: tuple[float, float]) -> tuple[float, float]:
        a = math.radians(self.tilt_degrees)
        return (
            math.cos(a) * place[0] - math.sin(a) * place[1],
            math.sin(a) * place[0] + math.cos(a) * place[1],
        )

    def labels(self, points: PointsTensor) -> Int[Tensor, " n"]:
        """1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity, at points (N, 3)."""
        cavity, outer, right = self.cavity(points) < 0, self.outer(points) < 0, self.right(points) < 0
        labels = torch.where(outer, torch.where(cavity, 3, 2), torch.where(right, 1, 0)).to(torch.int16)
        return torch.where(points[:, 2] < BASE, labels, torch.zeros_like(labels))

    def layers(self, points: PointsTensor) -> Iterator[Layer]:
        """The heart from the outside to the inside: each tissue covers those before it."""
        outer, right = self.outer(points), self.right(points)
        right_outer = self.right(points, self.rv_wall_mm)
        heart = torch.minimum(outer, right_outer)
        r, angle = polar(points)
        grooves = bump(angle, math.radians(-125), 0.55) + bump(angle, math.radians(118), 0.5)
        uneven = 0.8 * torch.cos(5 * angle + self.ripple[2]) + 0.6 * torch.cos(8 * angle + 0.05 * points[:, 2])
        thick = 5.0 * grooves + 0.8 * bump(angle, math.radians(190), 0.6) + uneven
        yield "fat", heart - 0.4 - thick * (r / 25).clamp(max=1)
        yield "wall", right_outer
        blood = torch.maximum(right, -outer)
        yield "right blood", blood
        middle = self._turned((self.rv_centre_mm[0] - 10, self.rv_centre_mm[1] + 20))
        band = ellipse(points, middle, (26.0, 1.3), 38 + self.tilt_degrees) + 0.5 * torch.cos(0.4 * points[:, 0])
        lining = blood + 1.6 + 1.8 * torch.cos(17 * angle + 2 * torch.cos(3 * angle) + self.ripple[3])
        lining = torch.maximum(lining.neg(), 0.5 * (right + 3).abs() - 1.5)  # small muscles along the free wall
        yield "trabecula", torch.maximum(torch.maximum(torch.minimum(band, lining), blood), points[:, 2] - 12)
        cavity = self.cavity(points)
        above = (points[:, 2] - BASE) / 2
        yield "wall", torch.maximum(outer, above)
        yield "atrium", torch.maximum(outer + 2.5, -above)
        yield "blood", torch.maximum(cavity, above)
        yield "papillary", torch.maximum(self.papillary(points), cavity - 1)


def _dome(radius: float, tip: float, w: Tensor) -> Tensor:
    """radius^2 at the widest level, falling along a parabola to 0 at the tip, and a little towards the base."""
    below = ((WIDEST - w) / (WIDEST - tip)).clamp(min=0)
    above = ((w - WIDEST) / 80).clamp(min=0)
    return radius**2 * (1 - below**2 - above**2)


def _slope(radius: float, w: Tensor) -> Tensor:
    """The derivative of `_dome`, near enough for both borders."""
    below = (WIDEST - w).clamp(min=0) / (WIDEST - APEX) ** 2
    above = (w - WIDEST).clamp(min=0) / 80**2
    return 2 * radius**2 * (below - above)

"""The motion of a contracting heart, as a formula with a formula for its inverse.

Three invertible steps, in the heart's frame with r^2 = u^2 + v^2 and the angle about the axis:

1. shorten: w -> W(w; r), base towards apex, the same all over the heart and fading out around it;
2. twist: angle -> angle + a(W) h(r);
3. squeeze: r^2 -> R^2(r^2; angle, W).

Each changes one coordinate by a function that rises in it, so its Jacobian determinant is dW/dw, 1, and dR^2/dr^2 (area
is half of d(r^2) d(angle)). In the wall of the left ventricle the squeeze has exactly the slope that makes up for the
shortening: muscle keeps its volume, and thickens because the cavity empties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from pullback.phantom.anatomy import APEX, BASE, WIDEST, Anatomy
from pullback.phantom.monotone import Monotone
from pullback.phantom.scene import Scene
from pullback.phantom.shapes import bump
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Field, PointsTensor, Tensor

SHORTENING = 0.14
CAVITY_SLOPE = 0.25
RIGHT_SLOPE = 0.52
TWIST_DEGREES = (-4.0, 9.0)
"""At full contraction: of the base and of the apex, from u towards v."""

REACH_MM = 85.0
"""Nothing moves further than this from the heart's axis."""


@dataclass(frozen=True, eq=False)
class Heartbeat(Transform):
    """Where each point at rest (end of diastole) has gone at some contraction.

    Attributes:
        anatomy: the heart, for its size.
        pose: world mm -> the heart's frame.
        contraction: 0 at rest, 1 at the end of systole.
        backwards: the inverse map.

    Example:
        >>> beat = Heartbeat(Anatomy(), Affine.identity(2), contraction=1.0)
        >>> point = torch.tensor([[23.5, 0.0]], dtype=torch.float64)
        >>> round(float(beat(point).norm()))  # the inner border of the wall
        16
        >>> torch.allclose(beat.inverse()(beat(point)), point)
        True
    """

    anatomy: Anatomy
    pose: Affine
    contraction: float
    backwards: bool = False

    @classmethod
    def at_phase(cls, scene: Scene, phase: float) -> Heartbeat:
        """The motion of a scene's heart from the end of diastole to a phase of the cycle."""
        return cls(scene.anatomy, scene.pose, contraction_at(phase))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.pose.dimension

    def inverse(self) -> Heartbeat:
        """The exact inverse."""
        return replace(self, backwards=not self.backwards)

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        if self.contraction == 0:
            return points
        d = self.dimension
        flat = points.reshape(-1, d).to("cpu", torch.float64)
        at = torch.nn.functional.pad(self.pose.move(flat), (0, 3 - d))
        moved = self._backward(at) if self.backwards else self._forward(at)
        world = self.pose.inverse().move(moved[:, :d])
        return world.to(points).reshape(points.shape)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        grid = space.grid()
        points = grid if first is None else grid + first.movedim(0, -1).to(grid)
        field = (self.move(points) - grid).movedim(-1, 0)
        return field.to(torch.float32) if first is None else field.to(first)

    @property
    def _length(self) -> float:
        """Length of muscle along the axis, as a part of its length at rest; a slice alone does not shorten."""
        return 1 - SHORTENING * self.contraction if self.dimension == 3 else 1.0

    def _forward(self, at: PointsTensor) -> PointsTensor:
        r2, angle = (at[:, :2] ** 2).sum(dim=1), torch.atan2(at[:, 1], at[:, 0])
        w = self._shorten(_near(r2))(at[:, 2])
        level = self._shorten(torch.ones_like(r2)).inverse(w)
        angle = angle + self._twist(level) * _near(r2)
        r = self._squeeze(level, angle)(r2).clamp(min=0).sqrt()
        return torch.stack([r * torch.cos(angle), r * torch.sin(angle), w], dim=1)

    def _backward(self, at: PointsTensor) -> PointsTensor:
        r2, angle, w = (at[:, :2] ** 2).sum(dim=1), torch.atan2(at[:, 1], at[:, 0]), at[:, 2]
        level = self._shorten(torch.ones_like(r2)).inverse(w)
        r2 = self._squeeze(level, angle).inverse(r2)
        angle = angle - self._twist(level) * _near(r2)
        w = self._shorten(_near(r2)).inverse(w)
        r = r2.clamp(min=0).sqrt()
        return torch.stack([r * torch.cos(angle), r * torch.sin(angle), w], dim=1)

    def _shorten(self, share: Tensor) -> Monotone:
        """From w to W, where a share (0 to 1) of the shortening is felt: the apex stays, the atria stretch."""
        knots = torch.tensor([APEX - 12, APEX - 4, BASE + 4, BASE + 14, BASE + 70, BASE + 90], dtype=share.dtype)
        loss, width = self._length - 1, knots.diff()
        gain = -loss * float(width[0] / 2 + width[1] + width[2] / 2) / float(width[2] / 2 + width[3] + width[4] / 2)
        change = torch.tensor([0.0, loss, loss, gain, gain, 0.0], dtype=share.dtype)
        return Monotone(knots[:, None].expand(-1, len(share)), 1 + change[:, None] * share)

    def _twist(self, level: Tensor) -> Tensor:
        base, apex = TWIST_DEGREES
        share = ((level - APEX) / (BASE - APEX)).clamp(-0.2, 1.2)
        return math.radians(self.contraction) * (apex + (base - apex) * share) * _at_heart(level)

    def _squeeze(self, level: Tensor, angle: Tensor) -> Monotone:
        """From r^2 to R^2: the cavities shrink, the wall keeps its volume, what lies around gives way."""
        heart = self.anatomy
        here = _at_heart(level)
        cavity, outer = _below(heart.cavity_square(level)), _above(heart.outer_square(level))
        rv = abs(heart.rv_centre_mm[0]) + heart.rv_mm[0] + heart.rv_wall_mm
        right = (0.86 * rv) ** 2 * (1 - ((level - WIDEST) / (0.8 * APEX - WIDEST)).clamp(min=0) ** 2)
        end = torch.full_like(level, REACH_MM**2)
        start_right = 1.2 * outer + 60
        end_right = start_right + _above(right - start_right) + 50
        after = end_right + 600
        zero, inside, wall_starts, wall_ends = torch.zeros_like(level), 0.7 * cavity, 0.8 * cavity, 1.08 * outer + 4
        before_end = after + 0.6 * (end - after)
        knots = torch.stack([zero, inside, wall_starts, wall_ends, start_right, end_right, after, before_end, end])
        blood = 1 - (1 - CAVITY_SLOPE) * self.contraction * here
        wall = 1 + (1 / self._length - 1) * here
        towards = bump(angle, math.pi + math.radians(heart.tilt_degrees - 8), 0.75)
        chamber = 1 - (1 - RIGHT_SLOPE) * self.contraction * here * towards
        slopes = torch.stack([blood, blood, wall, wall, chamber, chamber, zero, zero, torch.ones_like(level)])
        width = knots.diff(dim=0)
        rise = (slopes[1:] + slopes[:-1]) / 2 * width
        stretch = (end - rise.sum(dim=0)) / (width[5] / 2 + width[6] + width[7] / 2)  # so that R = r where it ends
        slopes[6], slopes[7] = stretch, stretch
        return Monotone(knots, slopes)


def contraction_at(phase: float) -> float:
    """Contraction at a phase of the cycle: 0 at phase 0 (end of diastole), 1 at 0.36 (end of systole), then filling.

    Example:
        >>> contraction_at(0.0), contraction_at(0.36), contraction_at(1.0)
        (0.0, 1.0, 0.0)
    """
    phase = phase % 1.0
    if phase <= 0.36:
        return 0.5 * (1 - math.cos(math.pi * phase / 0.36))
    return 0.5 * (1 + math.cos(math.pi * ((phase - 0.36) / 0.64) ** 0.7))


def _near(r2: Tensor) -> Tensor:
    """1 at and in the heart's left ventricle, falling smoothly to 0 at the reach."""
    return _falling(r2, 40.0**2, REACH_MM**2)


def _at_heart(level: Tensor) -> Tensor:
    """1 from apex to base, falling smoothly to 0 above and below."""
    return _falling(level, BASE + 4, BASE + 50) * _falling(-level, 4 - APEX, 28 - APEX)


def _falling(x: Tensor, start: float, stop: float) -> Tensor:
    """1 up to start, 0 from stop on, a smooth step between."""
    t = ((x - start) / (stop - start)).clamp(0, 1)
    return 1 - t * t * (3 - 2 * t)


def _above(x: Tensor) -> Tensor:
    """A smooth, positive function a little larger than x and 0."""
    return (x + torch.sqrt(x * x + 400.0)) / 2


def _below(x: Tensor) -> Tensor:
    """A smooth function a little smaller than x where that is positive, and 0 elsewhere."""
    x = x.clamp(min=0)
    return x * x / (x + 25.0)

"""HeartDrawing: pairs of short-axis hearts of any contrast, size and place, drawn in batches on any device.

The phantoms of `pullback.phantom` show one chest well; a network that sees only those learns that chest. Here little is
as in a body, but everything varies: anatomy, contraction, pose, what lies around the heart (random shapes, after
Hoffmann et al., "SynthMorph", IEEE Transactions on Medical Imaging 41(3), 2022), and the brightness of every tissue, in
each image by itself if need be. Both images are drawn from formulas of the tissue at rest, at the places where their
voxels came from, so that the displacement between them is known at every voxel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pullback.learn.data.heart_looks import KINDS, shown
from pullback.learn.data.heart_shapes import HeartShapes, smooth_noise, uniform
from pullback.learn.data.pairs import PairBatch
from pullback.learn.networks.fields import flow, warp
from pullback.typing import Batch, Tensor

SQUARINGS = 6


@dataclass(frozen=True)
class HeartDrawing:
    """What may be drawn.

    Attributes:
        shape: of the grid, (rows, columns).
        spacing_mm: of the grid.
        other_contrast: share of the pairs whose two images have nothing to do with each other in brightness.
        local_mm: the largest standard deviation of the motion that is neither heart beat nor affine.
        shift_mm: the farthest shift of all that is in the picture, along each axis.
        turn_degrees: the farthest turn of it; it is also sheared and scaled by as much.

    Example:
        >>> pairs = HeartDrawing((48, 48), (3.0, 3.0)).draw(2, seed=0)
        >>> pairs.fixed.shape, pairs.truth.shape
        (torch.Size([2, 1, 48, 48]), torch.Size([2, 2, 48, 48]))
    """

    shape: tuple[int, int] = (128, 128)
    spacing_mm: tuple[float, float] = (1.5, 1.5)
    other_contrast: float = 0.3
    local_mm: float = 2.5
    shift_mm: float = 6.0
    turn_degrees: float = 6.0

    @torch.no_grad()
    def draw(self, count: int, seed: int, device: torch.device | str = "cpu") -> PairBatch:
        """So many pairs, always the same for a seed on a kind of device."""
        draw = torch.Generator(device).manual_seed(seed)
        points = self._points(count, draw)
        shapes = HeartShapes.random(count, draw)
        around = self._surroundings(count, draw)
        velocity = self._velocity(shapes, points, draw)
        there, back = flow(velocity, SQUARINGS), flow(-velocity, SQUARINGS)
        rest = shapes.tissues(points), around
        moved = shapes.tissues(warp_linear(points, back)), warp(around, back)
        images = shown(rest, moved, self.other_contrast, draw)
        swap = torch.rand(count, generator=draw, device=draw.device) < 0.5
        image = _swapped(*images, swap)
        label = _swapped(shapes.labels(rest[0]), shapes.labels(moved[0]), swap)
        return PairBatch(image[0], image[1], label[0], label[1], _swapped(there, back, swap)[0])

    def _points(self, count: int, draw: torch.Generator) -> Batch:
        """(b, 2, *shape) mm in the frame of each heart, which lies and is turned anyhow."""
        axes = [(torch.arange(n, device=draw.device) - (n - 1) / 2) * s
                for n, s in zip(self.shape, self.spacing_mm, strict=True)]  # fmt: skip
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
        extent = grid.new_tensor([n * s for n, s in zip(self.shape, self.spacing_mm, strict=True)])
        centre = uniform(draw, -0.2, 0.2, count, 2) * extent
        linear = turned(uniform(draw, -math.pi, math.pi, count))
        mirrored = torch.where(uniform(draw, 0, 1, count) < 0.5, -1.0, 1.0)
        linear = torch.stack([linear[:, 0], linear[:, 1] * mirrored[:, None]], dim=1)
        return torch.einsum("bij,bjhw->bihw", linear, grid - centre[:, :, None, None])

    def _velocity(self, shapes: HeartShapes, points: Batch, draw: torch.Generator) -> Batch:
        """(b, 2, *shape) voxels: the beat, a little affine motion, and a little of any other."""
        count, frame = (
            len(points),
            (points[..., 1:, :1] - points[..., :1, :1], points[..., :1, 1:] - points[..., :1, :1]),
        )
        steps = [points.new_tensor(s) for s in self.spacing_mm]
        beat = shapes.beat(points)  # mm in the heart's frame: along the rows' and the columns' images in it
        rows, columns = (edge[:, :, 0, 0] / step for edge, step in zip(frame, steps, strict=True))
        into = torch.stack([rows, columns], dim=1)  # (b, 2, 2): what a mm of the grid is in the frame, turned back
        velocity = torch.einsum("bij,bjhw->bihw", into, beat)
        most = math.radians(self.turn_degrees)
        spin = uniform(draw, -most, most, count)[:, None, None] * points.new_tensor([[0.0, -1.0], [1.0, 0.0]])
        linear = spin + uniform(draw, -most / 2, most / 2, count, 2, 2)
        linear = linear * (uniform(draw, 0, 1, count, 1, 1) < 0.6)
        axes = [(torch.arange(n, device=draw.device) - (n - 1) / 2) * s
                for n, s in zip(self.shape, self.spacing_mm, strict=True)]  # fmt: skip
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
        velocity = velocity + torch.einsum("bij,jhw->bihw", linear, grid)
        shift = uniform(draw, -self.shift_mm, self.shift_mm, count, 2) * (uniform(draw, 0, 1, count, 1) < 0.6)
        velocity = velocity + shift[:, :, None, None]
        for length_mm in (50.0, 22.0):
            sides = [max(2, round(n * s / length_mm)) for n, s in zip(self.shape, self.spacing_mm, strict=True)]
            noise = smooth_noise(draw, count, 2, self.shape, sides)
            velocity = velocity + noise * uniform(draw, 0, self.local_mm / 2, count, 1, 1, 1)
        return velocity / points.new_tensor(self.spacing_mm)[:, None, None]

    def _surroundings(self, count: int, draw: torch.Generator) -> Batch:
        """(b, KINDS + 3, *shape): how much of each random tissue there is, two textures, and air."""
        return surroundings(count, draw, self.shape, self.spacing_mm)


def surroundings(count: int, draw: torch.Generator, shape: Sequence[int], spacing_mm: Sequence[float]) -> Batch:
    """(b, KINDS + 3, *shape): shares of random tissues around the heart; a fine and a coarse texture; the body (1)."""

    def noise(channels: int, length_mm: float) -> Batch:
        sides = [max(2, round(n * s / length_mm)) for n, s in zip(shape, spacing_mm, strict=True)]
        return smooth_noise(draw, count, channels, shape, sides)

    share = uniform(draw, 0.2, 1.0, count, 1, 1, 1)
    kinds = torch.softmax(14 * (noise(KINDS, 45.0) + share * noise(KINDS, 18.0)), dim=1)
    size = uniform(draw, 0.6, 1.6, count, 1, 1, 1)
    axes = [torch.linspace(-1, 1, n, device=draw.device) for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None] - uniform(draw, -0.3, 0.3, count, 2, 1, 1)
    body = torch.sigmoid(20 * (size - grid.norm(dim=1, keepdim=True) + 0.1 * noise(1, 60.0)))
    return torch.cat([kinds, noise(1, 7.0), noise(1, 25.0), body], dim=1)


def warp_linear(points: Batch, displacement: Batch) -> Batch:
    """Coordinates, which are affine in the voxel, at displaced voxels: exact beyond the edge as well."""
    rows = points[:, :, 1:2, :1] - points[:, :, :1, :1]
    columns = points[:, :, :1, 1:2] - points[:, :, :1, :1]
    return points + rows * displacement[:, :1] + columns * displacement[:, 1:]


def turned(angle: Tensor) -> Tensor:
    """(b, 2, 2) rotations."""
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([c, -s], dim=-1), torch.stack([s, c], dim=-1)], dim=-2)


def _swapped(first: Tensor, second: Tensor, swap: Tensor) -> tuple[Tensor, Tensor]:
    swap = swap.view(-1, *[1] * (first.ndim - 1))
    return torch.where(swap, second, first), torch.where(swap, first, second)

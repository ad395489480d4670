"""Scene: two images as a search sees them, and how well they fit in any pose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import torch

from pullback import ops
from pullback.optimise import Level
from pullback.registration.initialisation.candidate import Candidate
from pullback.registration.initialisation.correlate import Spectra, correlate, padded
from pullback.registration.initialisation.directions import directions
from pullback.registration.prepare import Prepared
from pullback.registration.stage import at_level
from pullback.space import Space
from pullback.transforms import Affine
from pullback.typing import Batch, Matrix, PointsTensor, Shape, Tensor

ALIKE = 0.999
"""Correlations are cut off here, so that the score of identical images is finite."""
EDGE_VOXELS = 1
"""Shifts so close to a better one are the same pose."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A pair of images at one coarse and even resolution.

    Attributes:
        fixed: directions of the fixed image's edges on `grid`, (k, *grid.shape).
        weight: how much each of its voxels counts.
        grid: an even grid over the fixed image.
        moving: the moving image, at about that resolution.
        initial: fixed world -> moving world, from which turns are counted.
        least_overlap: the share of the smaller image that must meet the other.
    """

    fixed: Tensor
    weight: Tensor
    grid: Space
    moving: Prepared
    initial: Affine
    least_overlap: float

    @classmethod
    def of(cls, fixed: Prepared, moving: Prepared, initial: Affine, voxels: int, least_overlap: float) -> Scene:
        """The scene with about `voxels` voxels along the longest axis of the fixed image."""
        step = max(fixed.space.extent) / voxels
        pair = at_level(fixed, moving, Level(max(1.0, step / fixed.space.finest), 1))
        grid = _even(fixed.space, step)
        image, weight = _laid(Prepared(pair.fixed, pair.fixed_space, pair.fixed_weight), grid.matrix, grid.shape)
        small = Prepared(pair.moving, pair.moving_space, pair.moving_weight)
        return cls(directions(image), weight, grid, small, initial, least_overlap)

    @cached_property
    def centre(self) -> Tensor:
        """About what the moving image is turned: the middle of its field of view, in the fixed world."""
        return self.initial.inverse()(self.moving.space.centre)

    @cached_property
    def smaller(self) -> float:
        """The voxels of the smaller image, as many as count."""
        carried = torch.linalg.inv(self.initial.linear) @ self.moving.space.linear
        volume = float((torch.linalg.det(carried) / torch.linalg.det(self.grid.linear)).abs())
        weight = self.moving.weight
        moving = volume * (self.moving.space.count if weight is None else float(weight.sum()))
        return max(1.0, min(moving, float(self.weight.sum())))

    def posed(self, transform: Affine, name: str) -> Candidate | None:
        """A pose and its loss, minus its score; None where too little of the images meets."""
        image, weight = _laid(self.moving, transform.matrix @ self.grid.matrix, self.grid.shape)
        weight, features = weight * self.weight, directions(image)
        met = float(weight.sum())
        if met < self.least_overlap * self.smaller:
            return None
        product, power = (self.fixed * features).sum(dim=0), [(x * x).sum(dim=0) for x in (self.fixed, features)]
        norm = math.sqrt(float((weight * power[0]).sum()) * float((weight * power[1]).sum()))
        alike = float((weight * product).sum()) / max(norm, 1e-20)
        return Candidate(name, transform, -_score(alike, met / self.smaller), min(1.0, met / self.smaller))

    def best_shifts(self, turns: dict[str, Matrix], count: int = 1) -> list[Candidate]:
        """For every turn of the moving image about its middle, the best shifts among all.

        Args:
            turns: (D, D) rotations by name, fixed world axes.
            count: how many shifts of each turn.
        """
        boxes = {name: self._box(turn) for name, turn in turns.items()}
        most = tuple(max(box[1][a] for box in boxes.values()) for a in range(self.grid.dimension))
        shape = padded(self.grid.shape, most)
        here = Spectra(self.fixed, self.weight, shape)
        return [pose for name, turn in turns.items() for pose in self._shifted(name, turn, *boxes[name], here, count)]

    def _shifted(self, name: str, turn: Matrix, low: Shape, size: Shape, here: Spectra, count: int) -> list[Candidate]:
        turned = _after(self.initial, Affine.about(turn, centre=self.centre))
        part = self.grid.crop(low, [a + n for a, n in zip(low, size, strict=True)])
        image, weight = _laid(self.moving, turned.matrix @ part.matrix, size)
        alike, met = correlate(here, Spectra(directions(image), weight, here.shape), self.least_overlap * self.smaller)
        share = (met / self.smaller).clamp(0, 1)
        score = torch.atanh(alike.clamp(-1, 1) * ALIKE) * share.sqrt()
        found = []
        for _ in range(count):
            best = int(score.argmax())
            at = [int(i) for i in np.unravel_index(best, score.shape)]  # torch's takes sympy along
            if float(alike.flatten()[best]) <= 0:
                break
            shift = [k if k < n else k - p for k, n, p in zip(at, self.grid.shape, here.shape, strict=True)]
            way = torch.tensor([a - k for a, k in zip(low, shift, strict=True)], dtype=torch.float64)
            pose = _after(turned, Affine.translation(self.grid.linear @ way))
            found.append(Candidate(name, pose, -float(score.flatten()[best]), float(share.flatten()[best])))
            _blot(score, at)
        return found

    def _box(self, turn: Matrix) -> tuple[Shape, Shape]:
        """The part of the (continued) grid that holds the moving image after a turn: first voxel and shape."""
        back = (self.initial @ Affine.about(turn, centre=self.centre)).inverse()
        corners = self.grid.to_voxels(back(_corners(self.moving.space)))
        low = [math.floor(v) for v in corners.amin(dim=0).tolist()]
        high = [math.ceil(v) + 1 for v in corners.amax(dim=0).tolist()]
        return tuple(low), tuple(b - a for a, b in zip(low, high, strict=True))


def _after(second: Affine, first: Affine) -> Affine:
    return Affine(second.matrix @ first.matrix)


def _score(alike: float, share: float) -> float:
    return math.atanh(max(-ALIKE, min(ALIKE, alike))) * math.sqrt(min(1.0, share))


def _blot(score: Tensor, at: list[int]) -> None:
    """Take a peak and its surroundings out of the race."""
    reach = [torch.arange(k - EDGE_VOXELS, k + EDGE_VOXELS + 1) % n for k, n in zip(at, score.shape, strict=True)]
    score[torch.meshgrid(*reach, indexing="ij")] = -math.inf


def _corners(space: Space) -> PointsTensor:
    ends = torch.tensor(list(product(*[(-0.5, n - 0.5) for n in space.shape])), dtype=torch.float64)
    return space.to_world(ends)


def _even(space: Space, step: float) -> Space:
    """A grid of equal steps over the same field of view; axes of one voxel stay so."""
    shape = tuple(
        max(1, round(extent / step)) if n > 1 else 1 for extent, n in zip(space.extent, space.shape, strict=True)
    )
    axes = torch.linalg.qr(space.linear)
    linear = axes.Q * torch.sign(torch.diagonal(axes.R)) * step
    matrix = torch.eye(space.dimension + 1, dtype=torch.float64)
    matrix[:-1, :-1] = linear
    matrix[:-1, -1] = space.centre - linear @ (torch.tensor(shape, dtype=torch.float64) - 1) * 0.5
    return Space(shape, matrix)


def _laid(image: Prepared, matrix: Matrix, shape: Shape) -> tuple[Batch, Tensor]:
    """An image on a grid, its edge repeated beyond it, and how much each voxel counts.

    Args:
        image: what is read.
        matrix: voxels of the grid -> the image's world.
        shape: of the grid.
    """
    into = (image.space.inverse @ matrix)[:-1]
    weight = ops.inside(image.space.shape, into, shape=shape, device=image.data.device).to(image.data)
    if image.weight is not None:
        weight = weight * ops.sample(image.weight, into, shape=shape)
    return ops.sample(image.data, into, shape=shape), weight[0, 0]

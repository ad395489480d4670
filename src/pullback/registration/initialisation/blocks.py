"""blocks: small blocks of the fixed image, each looked for by itself about where the moving image is pulled to."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy import Pair
from pullback.space import Space
from pullback.transforms import Transform
from pullback.transforms.apply import reading
from pullback.typing import Float, Int, PointsTensor, Shape, Tensor

COUNTS = 0.9
"""A block, here or there, of which a smaller share lies in the image and its mask is not compared."""
EVEN = 1e-6
"""Mean square of a block, in parts of the brightness range, below which there is no structure in it."""
AT_ONCE = 4096
"""So many blocks are held with their windows at a time."""


@dataclass(frozen=True)
class Blocks:
    """How an image is cut into blocks.

    Attributes:
        size: voxels of a block along each axis.
        reach: voxels along each axis within which a block is looked for, to either side.
        keep: the share of blocks, those of most variance, that are looked for.
    """

    size: Shape
    reach: Shape
    keep: float

    @classmethod
    def of(cls, space: Space, block_voxels: int, reach_voxels: int, keep: float) -> Blocks:
        """As wide along thick axes, in mm, as along the finest one; whole voxels, and one at least."""
        fine = [space.finest / mm for mm in space.spacing]
        size = [min(n, max(1, round(block_voxels * f))) for n, f in zip(space.shape, fine, strict=True)]
        reach = [0 if n == 1 else max(1, round(reach_voxels * f)) for n, f in zip(space.shape, fine, strict=True)]
        return cls(tuple(size), tuple(reach), keep)

    def matches(self, pair: Pair, transform: Transform) -> tuple[PointsTensor, PointsTensor]:
        """The middles of blocks, and of what is most like each of them in the moving image as it is pulled back.

        By normalised correlation at every shift by whole voxels, and a parabola between them.

        Args:
            pair: the images.
            transform: fixed world -> moving world, as known so far.

        Returns:
            Two sets of places in the fixed world, (n, D) float64 each: of the blocks, and of what is most like them.
        """
        space = pair.fixed_space
        wide = space.crop([-r for r in self.reach], [n + r for n, r in zip(space.shape, self.reach, strict=True)])
        where = reading(transform, pair.moving_space, wide)
        warped = ops.sample(pair.moving, *where, shape=wide.shape)
        seen = ops.inside(pair.moving_space.shape, *where, shape=wide.shape, device=warped.device).to(warped)
        if pair.moving_weight is not None:
            seen = seen * ops.sample(pair.moving_weight, *where, shape=wide.shape)
        chosen = self._chosen(pair)
        shifts = [warped.new_zeros(0, space.dimension)]
        for start in range(0, len(chosen), AT_ONCE):
            some = chosen[start : start + AT_ONCE]
            block = _taken(self._cut(pair.fixed, self.size), some)
            shifts.append(self._shifts(block, *(_taken(self._cut(x, self._window), some) for x in (warped, seen))))
        found = torch.cat(shifts)
        there = torch.isfinite(found).all(dim=1).cpu()
        places = self._middles(space)[chosen.cpu()][there]
        return space.to_world(places), space.to_world(places + found.cpu()[there].to(torch.float64))

    @property
    def _window(self) -> Shape:
        return tuple(b + 2 * r for b, r in zip(self.size, self.reach, strict=True))

    def _chosen(self, pair: Pair) -> Int[Tensor, " n"]:
        """The numbers of the blocks of the fixed image that have most structure."""
        d = len(self.size)
        axes = tuple(range(-d, 0))
        variance = self._cut(pair.fixed, self.size).var(dim=axes, correction=0).mean(dim=d).flatten()
        if pair.fixed_weight is not None:
            counted = self._cut(pair.fixed_weight, self.size).mean(dim=(d, *axes)).flatten()
            variance = torch.where(counted >= COUNTS, variance, 0.0)
        some = int((variance > EVEN).sum())
        chosen: Tensor = variance.argsort(descending=True)[: round(self.keep * some)].sort().values
        return chosen

    def _cut(self, image: Float[Tensor, "1 c *spatial"], size: Shape) -> Float[Tensor, "*blocks_c_size"]:
        """A view of an image in pieces of a size, one block apart, for every block that lies wholly in the fixed one.

        Returns:
            (*blocks, c, *size).
        """
        pieces = image[0]
        for axis, (n, b, margin) in enumerate(
            zip(image.shape[2:], size, self._start(image, size), strict=True), start=1
        ):
            step = self.size[axis - 1]
            pieces = pieces.narrow(axis, margin, n - margin).unfold(axis, b, step)
        view: Tensor = pieces.movedim(0, len(size))
        return view

    def _start(self, image: Tensor, size: Shape) -> list[int]:
        """Where the first block begins along each axis, so that what is left over lies at both ends."""
        reach = [w - b for w, b in zip(size, self.size, strict=True)]
        return [((n - r) % b) // 2 for n, r, b in zip(image.shape[2:], reach, self.size, strict=True)]

    def _middles(self, space: Space) -> Float[Tensor, "n d"]:
        """The middles of all blocks, in voxels of the fixed image."""
        axes = [
            (n % b) // 2 + b * torch.arange(n // b, dtype=torch.float64) + (b - 1) / 2
            for n, b in zip(space.shape, self.size, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, space.dimension)

    def _shifts(self, blocks: Tensor, windows: Tensor, counted: Tensor) -> Float[Tensor, "n d"]:
        """By how many voxels each block is shifted to where it correlates best; NaN where it is nowhere to be found."""
        blocks = blocks - blocks.mean(dim=tuple(range(2, blocks.ndim)), keepdim=True)
        alike = sum(self._correlation(blocks[:, c], windows[:, c]) for c in range(blocks.shape[1])) / blocks.shape[1]
        assert isinstance(alike, Tensor)
        alike = torch.where(_pooled(counted[:, 0], self.size) >= COUNTS, alike, -1.0)
        best, at = alike.flatten(1).max(dim=1)
        index = torch.stack(torch.unravel_index(at, alike.shape[1:]), dim=1)
        shift = (index - torch.tensor(self.reach, device=index.device)).to(blocks)
        for axis in range(len(self.size)):
            shift[:, axis] += _peak(alike, best, index, axis)
        return torch.where(best[:, None] > 0, shift, torch.nan)

    def _correlation(self, blocks: Float[Tensor, "n *size"], windows: Float[Tensor, "n *window"]) -> Tensor:
        """Of blocks without their means with every part of their windows, (n, *shifts)."""
        convolve = torch.nn.functional.conv3d if len(self.size) == 3 else torch.nn.functional.conv2d
        windows = windows - windows.mean(dim=tuple(range(1, windows.ndim)), keepdim=True)
        products: Tensor = convolve(windows[None], blocks[:, None], groups=len(blocks))[0]
        there = _pooled(windows.square(), self.size) - _pooled(windows, self.size).square()
        here = blocks.square().mean(dim=tuple(range(1, blocks.ndim))).view(-1, *[1] * len(self.size))
        count = blocks[0].numel()
        return torch.where(there > EVEN, products / count / (there.clamp(min=EVEN) * here).sqrt(), -1.0)


def _taken(view: Tensor, numbers: Int[Tensor, " n"]) -> Tensor:
    """Some of the pieces of a view as `_cut` gives it, (n, c, *size)."""
    d = (view.ndim - 1) // 2
    return view[torch.unravel_index(numbers, view.shape[:d])]


def _pooled(windows: Float[Tensor, "n *window"], size: Shape) -> Float[Tensor, "n *shifts"]:
    pool = torch.nn.functional.avg_pool3d if len(size) == 3 else torch.nn.functional.avg_pool2d
    mean: Tensor = pool(windows[:, None], size, stride=1)[:, 0]
    return mean


def _peak(alike: Tensor, best: Float[Tensor, " n"], index: Int[Tensor, "n d"], axis: int) -> Float[Tensor, " n"]:
    """Where the parabola through the best shift and its two neighbours along an axis has its peak, from the middle."""
    last = alike.shape[axis + 1] - 1
    sides = []
    for step in (-1, 1):
        beside = index.clone()
        beside[:, axis] = (beside[:, axis] + step).clamp(0, last)
        sides.append(alike[torch.arange(len(alike), device=alike.device), *beside.unbind(dim=1)])
    bend = 2 * best - sides[0] - sides[1]
    inner = (index[:, axis] > 0) & (index[:, axis] < last) & (torch.minimum(*sides) > -1) & (bend > EVEN)
    return torch.where(inner, (sides[1] - sides[0]) / (2 * bend.clamp(min=EVEN)), 0.0).clamp(-0.5, 0.5)

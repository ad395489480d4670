"""Linear: from a shift to an affine map, about the middle of the image, along the axes that are free."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch

from pullback.errors import RecipeError, SpaceError
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Float, Matrix, Shape, Tensor

Freedom = Literal["translation", "scaling", "rigid", "similarity", "affine_without_shear", "affine"]


@dataclass(frozen=True)
class Linear(Parametrisation):
    """x -> exp(G) (x - centre) + centre + shift, with G spanned by rotations, scalings and shears.

    The exponential keeps every set of numbers an invertible transform without reflection, and rotations exact. Each
    number is in mm: the shift itself, or a generator times the image's radius (the root mean square distance from its
    middle), so that one step length suits all. Where an axis of the image has a single voxel, only motion within the
    plane is free.

    Attributes:
        freedom: what may change. A shift alone: translation (2 numbers in 2-D, 3 in 3-D). With it a factor along each
            axis of the image: scaling (4, 6). With it turns: rigid (3, 6), similarity (one factor more: 4, 7),
            affine_without_shear (turns after a factor along each axis: 5, 9), affine (6, 12).
        axes: the axes of the fixed image, in data order and counted from 0, along which points may move and between
            which they may turn; all if null. [1, 2] keeps a stack of thick slices in its planes.

    Raises:
        RecipeError: an axis is named twice.
    """

    freedom: Freedom = "affine"
    axes: Shape | None = None

    def __post_init__(self) -> None:
        if self.axes is not None and len(set(self.axes)) != len(self.axes):
            raise RecipeError(f"axes of a linear transform must each be named once; got {list(self.axes)}")

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        where = "" if self.axes is None else f" (axes {', '.join(map(str, self.axes))})"
        return self.freedom.replace("_", " ") + where

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`.

        Raises:
            SpaceError: the image has no such axes.
        """
        del device  # a handful of numbers: they stay on the CPU, in double precision
        freedoms = self.freedoms(space)
        return Params(torch.zeros(freedoms.count, dtype=torch.float64), space, initial)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        linear, shift = self.freedoms(params.space).of(params.values)
        centre = params.space.centre
        d = len(centre)
        top = torch.cat([linear, (centre + shift - linear @ centre)[:, None]], dim=1)
        return params.initial @ Affine(torch.cat([top, torch.eye(d + 1, dtype=torch.float64)[-1:]]))

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`: every level shares the field of view, so the numbers keep their meaning."""
        return replace(params, space=space)

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return replace(params, values=params.values + scale * step)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`."""
        return float(step.norm())

    def freedoms(self, space: Space) -> Freedoms:
        """What the numbers stand for on a grid.

        Raises:
            SpaceError: the image has no such axes.
        """
        wanted = range(space.dimension) if self.axes is None else self.axes
        if not all(0 <= a < space.dimension for a in wanted):
            raise SpaceError(f"{self.name}: {space!r} has the axes 0 to {space.dimension - 1}, in data order")
        free = [a for a in range(space.dimension) if a in wanted and space.shape[a] > 1]
        others = [a for a in range(space.dimension) if a not in free]
        return _freedoms(self.freedom, tuple(free), tuple(others), space)


@dataclass(frozen=True, eq=False)
class Freedoms:
    """Directions in which a linear map may change, in world axes.

    Attributes:
        generators: of the linear part, per mm.
        shifts: of the shift.
        turns: how many of the generators are exponentiated by themselves, to come after the rest; None for all in one.
    """

    generators: Float[Tensor, "n d d"]
    shifts: Float[Tensor, "m d"]
    turns: int | None = None

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return len(self.generators) + len(self.shifts)

    def of(self, values: Float[Tensor, " count"]) -> tuple[Matrix, Float[Tensor, " d"]]:
        """The linear part and the shift of some numbers."""
        n = len(self.generators)
        if self.turns is None:
            linear = exponential(values[:n], self.generators)
        else:
            turn = exponential(values[: self.turns], self.generators[: self.turns])
            linear = turn @ exponential(values[self.turns : n], self.generators[self.turns :])
        return linear, values[n:] @ self.shifts


def exponential(values: Float[Tensor, " n"], generators: Float[Tensor, "n d d"]) -> Matrix:
    """exp(sum of values times generators), differentiable once.

    Its slopes are found along with it, as corners of exponentials of matrices twice as wide (Van Loan, IEEE
    Transactions on Automatic Control 23(3), 1978): torch's own way back takes several times as long.
    """
    total = torch.tensordot(values.detach(), generators, dims=1)
    if not values.requires_grad or not len(values):
        alone: Matrix = torch.linalg.matrix_exp(total)
        return alone
    d = len(total)
    wide = total.new_zeros(len(values), 2 * d, 2 * d)
    wide[:, :d, :d] = wide[:, d:, d:] = total
    wide[:, :d, d:] = generators
    found = torch.linalg.matrix_exp(wide)
    whole: Matrix = found[0, :d, :d] + torch.tensordot(values - values.detach(), found[:, :d, d:], dims=1)
    return whole


@lru_cache(maxsize=32)  # asked for at every step of the optimiser
def _freedoms(freedom: Freedom, free: Shape, others: Shape, space: Space) -> Freedoms:
    """What may change along the axes `free` of a grid."""
    axes = torch.linalg.qr(space.linear[:, [*free, *others]]).Q[:, : len(free)]  # orthonormal, in the free plane
    world = torch.einsum("ia,nab,jb->nij", axes, _generators(freedom, len(free)), axes)
    turns = math.comb(len(free), 2) if freedom == "affine_without_shear" else None
    return Freedoms(world / radius(space, free), axes.T.contiguous(), turns)


@lru_cache(maxsize=32)
def _generators(freedom: Freedom, d: int) -> Float[Tensor, "n d d"]:
    """Turns first, then shears, then factors."""
    pairs = list(itertools.combinations(range(d), 2))
    found = []
    if freedom not in ("translation", "scaling"):
        found += [_unit(d, b, a) - _unit(d, a, b) for a, b in pairs]
    if freedom == "affine":
        found += [_unit(d, b, a) + _unit(d, a, b) for a, b in pairs]
    if freedom in ("scaling", "affine_without_shear", "affine"):
        found += [_unit(d, a, a) for a in range(d)]
    if freedom == "similarity":
        found.append(torch.eye(d, dtype=torch.float64))
    return torch.stack(found) if found else torch.zeros(0, d, d, dtype=torch.float64)


def _unit(d: int, row: int, column: int) -> Tensor:
    matrix = torch.zeros(d, d, dtype=torch.float64)
    matrix[row, column] = 1.0
    return matrix


def radius(space: Space, axes: Sequence[int] | None = None) -> float:
    """Root mean square distance of the voxels from the middle of the field of view, mm, along some axes or all.

    Axes of one voxel are set aside.
    """
    chosen = range(space.dimension) if axes is None else axes
    wide = [space.extent[a] for a in chosen if space.shape[a] > 1]
    return math.sqrt(sum(e * e for e in wide) / 12) if wide else 1.0

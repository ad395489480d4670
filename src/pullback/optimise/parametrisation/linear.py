"""Linear: translation, rigid, similarity or affine, by the matrix exponential about the middle of the image."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch

from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Float, Tensor

Freedom = Literal["translation", "rigid", "similarity", "affine"]


@dataclass(frozen=True)
class Linear(Parametrisation):
    """x -> exp(G) (x - centre) + centre + shift, with G spanned by rotations, scalings and shears.

    The exponential keeps every set of numbers an invertible transform without reflection, and rotations exact. Each
    number is in mm: the shift itself, or a generator times the image's radius (the root mean square distance from its
    middle), so that one step length suits all. Where an axis of the image has a single voxel, only motion within the
    plane is free.

    Attributes:
        freedom: translation, rigid, similarity (rigid and one scale) or affine.
    """

    freedom: Freedom = "affine"

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return self.freedom

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        del device  # a handful of numbers: they stay on the CPU, in double precision
        generators, shifts = self._freedoms(space)
        return Params(torch.zeros(len(generators) + len(shifts), dtype=torch.float64), space, initial)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        generators, shifts = self._freedoms(params.space)
        turn, shift = params.values[: len(generators)], params.values[len(generators) :]
        linear = torch.linalg.matrix_exp(torch.einsum("n,nij->ij", turn / radius(params.space), generators))
        moved = shift @ shifts
        centre = params.space.centre
        d = len(centre)
        top = torch.cat([linear, (centre + moved - linear @ centre)[:, None]], dim=1)
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

    def _freedoms(self, space: Space) -> tuple[Float[Tensor, "n d d"], Float[Tensor, "m d"]]:
        """Generators of the linear part, and directions of the shift, both in world axes."""
        thin = tuple(a for a, n in enumerate(space.shape) if n == 1)
        free = [a for a in range(space.dimension) if a not in thin]
        axes = torch.linalg.qr(space.linear[:, [*free, *thin]]).Q[:, : len(free)]  # orthonormal, in the image's plane
        local = _generators(self.freedom, len(free))
        return torch.einsum("ia,nab,jb->nij", axes, local, axes), axes.T.contiguous()


@lru_cache(maxsize=16)
def _generators(freedom: Freedom, d: int) -> Float[Tensor, "n d d"]:
    found = []
    for a, b in itertools.combinations(range(d), 2):
        if freedom != "translation":
            found.append(_unit(d, b, a) - _unit(d, a, b))
        if freedom == "affine":
            found.append(_unit(d, b, a) + _unit(d, a, b))
    if freedom == "affine":
        found += [_unit(d, a, a) for a in range(d)]
    if freedom == "similarity":
        found.append(torch.eye(d, dtype=torch.float64))
    return torch.stack(found) if found else torch.zeros(0, d, d, dtype=torch.float64)


def _unit(d: int, row: int, column: int) -> Tensor:
    matrix = torch.zeros(d, d, dtype=torch.float64)
    matrix[row, column] = 1.0
    return matrix


def radius(space: Space) -> float:
    """Root mean square distance of the voxels from the middle of the field of view, mm; axes of one voxel set aside."""
    wide = [extent for extent, n in zip(space.extent, space.shape, strict=True) if n > 1]
    return math.sqrt(sum(e * e for e in wide) / 12)

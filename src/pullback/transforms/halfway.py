"""Halfway: two images that meet in the middle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms.affine import Affine
from pullback.transforms.composite import Composite, chain
from pullback.transforms.transform import Transform
from pullback.typing import Field, Matrix, PointsTensor

RECONSTRUCTED_MM = 1e-6
"""A square root that is off by more than this is none."""


@dataclass(frozen=True, eq=False)
class Halfway(Transform):
    """x -> to_moving(to_fixed^-1(x)), by way of a middle world that lies as far from the one image as from the other.

    Both images can be pulled to the middle, `resample(fixed, halfway.to_fixed, halfway.space)` and likewise the moving
    one, so that both are interpolated alike. The inverse is the same two halves in the other order.

    Attributes:
        to_fixed: middle world -> fixed world.
        to_moving: middle world -> moving world.
        space: the grid in the middle.

    Raises:
        InputError: the parts are not of one dimension.
    """

    to_fixed: Transform
    to_moving: Transform
    space: Space

    def __post_init__(self) -> None:
        dimensions = [self.to_fixed.dimension, self.to_moving.dimension, self.space.dimension]
        if len(set(dimensions)) != 1:
            raise InputError(f"the halves of a transform and the grid in the middle must be of one dimension; got "
                             f"{dimensions}")  # fmt: skip

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    @property
    def whole(self) -> Transform:
        """The same as a chain: the second half after the first half's inverse."""
        return chain(self.to_moving, self.to_fixed.inverse())

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return self.whole.move(points)

    def inverse(self) -> Halfway:
        """The two halves in the other order."""
        return replace(self, to_fixed=self.to_moving, to_moving=self.to_fixed)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        return self.whole.displace(space, first)

    def __repr__(self) -> str:
        return f"Halfway(two {_words(self.to_moving)} halves that meet on {self.space!r})"


def halves(transform: Transform) -> tuple[Transform, Transform]:
    """(to_fixed, to_moving) with transform = to_moving @ to_fixed^-1.

    A matrix is halved by its square root, so that turns and factors are halved too, and the inverse has the same halves
    the other way round. Anything else stays whole on the moving side, as does a matrix that has no real root near it (a
    half turn, for example).
    """
    if isinstance(transform, Halfway):
        return transform.to_fixed, transform.to_moving
    nothing = Affine.identity(transform.dimension)
    if not isinstance(transform, Affine):
        return nothing, transform
    root = _root(transform.matrix)
    return (nothing, transform) if root is None else (Affine(root).inverse(), Affine(root))


def _root(matrix: Matrix) -> Matrix | None:
    """The principal square root, by the iteration of Denman and Beavers (Applied Mathematics and Computation 2, 1976).

    None where it does not converge: an eigenvalue is negative.
    """
    root, back = matrix, torch.eye(len(matrix), dtype=torch.float64)
    for _ in range(30):
        (inverse_root, bad), (inverse_back, worse) = (torch.linalg.inv_ex(m) for m in (root, back))
        if bool(bad) or bool(worse):
            return None
        root, back = (root + inverse_back) / 2, (back + inverse_root) / 2
    near = bool(torch.isfinite(root).all()) and float((root @ root - matrix).abs().max()) < RECONSTRUCTED_MM
    return root if near else None


def _words(transform: Transform) -> str:
    last = transform.parts[-1] if isinstance(transform, Composite) else transform
    return type(last).__name__.lower()

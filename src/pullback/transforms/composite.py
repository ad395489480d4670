"""Composite: transforms one after another."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms.affine import Affine
from pullback.transforms.transform import Transform
from pullback.typing import Field, PointsTensor


@dataclass(frozen=True, eq=False)
class Composite(Transform):
    """x -> parts[0](parts[1](... parts[-1](x))): the last part comes first, as in ITK's composite files.

    Make one with `a @ b`, which keeps the parts flat and folds neighbouring matrices into one.

    Attributes:
        parts: two or more transforms of one dimension.

    Raises:
        InputError: no parts, or parts of different dimension.
    """

    parts: tuple[Transform, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise InputError("a composite transform needs at least one part")
        if len({part.dimension for part in self.parts}) != 1:
            raise InputError(f"cannot chain transforms of dimensions {[part.dimension for part in self.parts]}")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.parts[0].dimension

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        for part in reversed(self.parts):
            points = part.move(points)
        return points

    def inverse(self) -> Transform:
        """The inverses of the parts, in the opposite order."""
        return chain(*(part.inverse() for part in reversed(self.parts)))

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        field = first
        for part in reversed(self.parts):
            field = part.displace(space, field)
        assert field is not None  # there is at least one part
        return field

    def __repr__(self) -> str:
        return " @ ".join(repr(part) for part in self.parts)


def chain(*transforms: Transform) -> Transform:
    """Flatten composites, and multiply neighbouring matrices."""
    flat: list[Transform] = []
    for transform in transforms:
        for part in transform.parts if isinstance(transform, Composite) else (transform,):
            if flat and isinstance(flat[-1], Affine) and isinstance(part, Affine):
                if flat[-1].dimension != part.dimension:
                    raise InputError(f"cannot chain transforms of dimensions {flat[-1].dimension} and {part.dimension}")
                flat[-1] = Affine(flat[-1].matrix @ part.matrix)
            else:
                flat.append(part)
    useful = [part for part in flat if not _is_identity(part)] or flat[:1]
    return useful[0] if len(useful) == 1 else Composite(tuple(useful))


def _is_identity(part: Transform) -> bool:
    if not isinstance(part, Affine) or part.matrix.requires_grad:
        return False
    return torch.equal(part.matrix, torch.eye(part.dimension + 1, dtype=torch.float64))

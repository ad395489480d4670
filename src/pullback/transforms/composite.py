"""Composite: transforms one after another."""

from __future__ import annotations

from collections.abc import Iterator
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
        parts: transforms of one dimension.

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
    """One transform out of several, flat, with neighbouring matrices multiplied and identities left out.

    Raises:
        InputError: no transforms, or transforms of different dimension.
    """
    parts: list[Transform] = []
    for part in _flat(Composite(transforms)):
        if parts and isinstance(parts[-1], Affine) and isinstance(part, Affine):
            parts[-1] = Affine(parts[-1].matrix @ part.matrix)
        else:
            parts.append(part)
    parts = [part for part in parts if not _is_identity(part)] or [Affine.identity(transforms[0].dimension)]
    return parts[0] if len(parts) == 1 else Composite(tuple(parts))


def _flat(transform: Transform) -> Iterator[Transform]:
    if isinstance(transform, Composite):
        for part in transform.parts:
            yield from _flat(part)
    else:
        yield transform


def _is_identity(part: Transform) -> bool:
    if not isinstance(part, Affine) or part.matrix.requires_grad:
        return False
    return torch.equal(part.matrix, torch.eye(part.dimension + 1, dtype=torch.float64))

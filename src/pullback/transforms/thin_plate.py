"""ThinPlateSpline: the least bent map through landmarks, without its affine part."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms.transform import Transform
from pullback.typing import Field, Float, PointsTensor, Tensor

AT_ONCE = 1 << 20
"""Distances between points and knots that are held at a time."""
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class ThinPlateSpline(Transform):
    """x -> x + sum over k of weights[k] U(|x - knots[k]|), with U(r) = r^2 log r in 2-D and -r in 3-D, r in mm.

    Bookstein, IEEE Transactions on Pattern Analysis and Machine Intelligence 11(6), 1989. It has no grid, and reaches
    everywhere. Files hold it as a dense displacement (`write_transform` with `onto`). Make one with `from_landmarks`,
    which puts the affine part after it.

    Attributes:
        knots: (N, D) world mm, float64.
        weights: (N, D), such that knots far away from x cancel out.

    Raises:
        InputError: the two do not have one shape, or are not 2-D or 3-D.
    """

    knots: Float[Tensor, "_n _d"]
    weights: Float[Tensor, "_n _d"]

    def __post_init__(self) -> None:
        if self.knots.ndim != 2 or self.knots.shape != self.weights.shape or self.knots.shape[1] not in (2, 3):
            raise InputError(f"a thin-plate spline needs as many weights as knots, (N, 2) or (N, 3); got "
                             f"{tuple(self.weights.shape)} and {tuple(self.knots.shape)}")  # fmt: skip
        object.__setattr__(self, "knots", self.knots.detach().to(torch.float64))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.knots.shape[1])

    def motion(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """How far world points move, in mm and in the points' precision."""
        weights = self.weights.to(points)
        return torch.cat([kernel(self._away(part)) @ weights for part in self._parts(points)])

    def slope(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n d d"]:
        """The derivative of the motion at world points, component i along world axis j at [i, j]."""
        weights = self.weights.to(points)
        return torch.cat(
            [torch.einsum("nkj,ki->nij", _kernel_slope(self._away(p)), weights) for p in self._parts(points)]
        )

    def move(self, points: PointsTensor) -> PointsTensor:
        """See `Transform`."""
        return points + self.motion(points.reshape(-1, self.dimension)).reshape(points.shape)

    def inverse(self) -> Transform:
        """The inverse, solved for at each point when it is asked for; see `Inverse`."""
        from pullback.transforms.inverse import Inverse  # noqa: PLC0415 - an Inverse undoes a ThinPlateSpline

        return Inverse(self)

    def displace(self, space: Space, first: Field | None = None) -> Field:
        """See `Transform`."""
        if first is None:
            points, before = space.grid().to(self.weights), None
        else:
            before = first.to(self.weights.device, torch.promote_types(first.dtype, self.weights.dtype))
            points = space.grid().to(before) + before.movedim(0, -1)
        motion = self.motion(points.reshape(-1, self.dimension)).reshape(points.shape).movedim(-1, 0)
        return motion if before is None else before + motion

    def _parts(self, points: Float[Tensor, "n d"]) -> tuple[Tensor, ...]:
        return torch.split(points, max(1, AT_ONCE // max(1, len(self.knots)))) if len(points) else (points,)

    def _away(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n k d"]:
        return points[:, None] - self.knots.to(points)

    def __repr__(self) -> str:
        return f"ThinPlateSpline({self.dimension}D, {len(self.knots)} knots)"


def kernel(away: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
    """U of the length of vectors in mm: the fundamental solution of the biharmonic equation, but for a factor."""
    square = away.square().sum(dim=-1) + TINY
    return square * square.log() / 2 if away.shape[-1] == 2 else -square.sqrt()


def _kernel_slope(away: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
    square = away.square().sum(dim=-1, keepdim=True) + TINY
    return away * (square.log() + 1) if away.shape[-1] == 2 else -away / square.sqrt()

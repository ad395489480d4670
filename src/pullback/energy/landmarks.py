"""Landmarks: points of the fixed image, and where the same anatomy lies in the moving one."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.image import Points
from pullback.typing import Float, Tensor


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points that belong together, in the same order.

    Attributes:
        fixed: in the fixed world, mm.
        moving: in the moving world, mm.
        sigma_mm: (n,), how far each may be off by a slip of the hand; None where all are as sure as the measure that
            compares them says.
        counts: (n,), how much each counts in a mean; None for all alike.

    Raises:
        InputError: there are not as many of one as of the other, none at all, or they are not finite numbers.

    Example:
        >>> here, there = Points(torch.zeros(2, 3)), Points(torch.ones(2, 3))
        >>> Landmarks(here, there, torch.tensor([1.0, 2.5])).fixed.dimension
        3
    """

    fixed: Points
    moving: Points
    sigma_mm: Float[Tensor, " n"] | None = None
    counts: Float[Tensor, " n"] | None = None

    def __post_init__(self) -> None:
        here, there = self.fixed.world, self.moving.world
        if here.shape != there.shape or len(here) == 0:
            raise InputError(f"each fixed landmark needs its moving one, in the same order; got {len(here)} in "
                             f"{self.fixed.dimension}D and {len(there)} in {self.moving.dimension}D")  # fmt: skip
        if not bool(torch.isfinite(here).all() and torch.isfinite(there).all()):
            raise InputError("the landmarks hold coordinates that are not finite numbers; leave those points out")
        sigma = self.sigma_mm
        if sigma is not None and (sigma.shape != here.shape[:1] or not bool(((sigma > 0) & (sigma < 1e6)).all())):
            raise InputError(f"sigma_mm of the landmarks must be one positive number (mm) for each of the {len(here)}; "
                             f"got {sigma.tolist()}")  # fmt: skip

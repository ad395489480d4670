"""A rising function of one variable with a formula for its inverse.

Its slope runs straight from knot to knot, so the function is a chain of parabolas: smooth (C1), rising wherever the
slopes are positive, and undone by the quadratic formula. It is what makes the beating heart exactly invertible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from pullback.typing import Float, Tensor


@dataclass(frozen=True, eq=False)
class Monotone:
    """One rising function for each of N points; below the first knot it is x, above the last it goes on with slope 1.

    Attributes:
        knots: (knots, N) rising along the first axis.
        slopes: (knots, N) positive; 1 at the first knot unless nothing lies below it.

    Example:
        >>> bend = Monotone(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.5], [1.5]]))
        >>> bend(torch.tensor([1.0])), bend.inverse(bend(torch.tensor([1.0])))
        (tensor([0.7500]), tensor([1.]))
    """

    knots: Float[Tensor, "k n"]
    slopes: Float[Tensor, "k n"]

    @property
    def heights(self) -> Float[Tensor, "k n"]:
        """The function's values at its knots."""
        rise = (self.slopes[1:] + self.slopes[:-1]) / 2 * self.knots.diff(dim=0)
        return torch.cat([self.knots[:1], self.knots[:1] + rise.cumsum(dim=0)])

    def __call__(self, x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The function at one x for each point."""
        start, height, slope, bend = self._piece(x, "knots")
        u = x - start
        return height + u * (slope + bend * u / 2)

    def inverse(self, y: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The x with f(x) = y, by the quadratic formula in the form that stays exact for small curvature."""
        start, height, slope, bend = self._piece(y, "heights")
        rise = y - height
        return start + 2 * rise / (slope + (slope * slope + 2 * bend * rise).clamp(min=0).sqrt())

    def derivative(self, x: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """f'(x)."""
        start, _, slope, bend = self._piece(x, "knots")
        return slope + bend * (x - start)

    def _piece(self, value: Tensor, by: Literal["knots", "heights"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Start, height, slope and bend of the parabola that holds each value."""
        heights = self.heights
        edges = self.knots if by == "knots" else heights
        index = (value >= edges).sum(dim=0)  # 0: below the first knot
        last = len(edges) - 1
        at = (index - 1).clamp(min=0)[None]
        after = (index.clamp(max=last))[None]
        start, height, slope = (t.gather(0, at)[0] for t in (self.knots, heights, self.slopes))
        width = self.knots.gather(0, after)[0] - start
        rise = self.slopes.gather(0, after)[0] - slope
        within = (index > 0) & (index <= last)
        one = torch.ones_like(slope)
        bend = torch.where(within, rise / torch.where(within, width, one), 0.0)
        return start, height, torch.where(within, slope, one), bend

"""Border: where a part slides along the rest, and which way is across."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.optimise.parametrisation.widths import sigmas
from pullback.space import Space
from pullback.typing import Batch, Field, Float, Tensor

LEAST = 1e-3
"""A share below this says nothing of a side: there the mean over both goes on."""
FLAT = 1e-6


@dataclass(frozen=True, eq=False)
class Border:
    """The border of a region on a grid.

    Attributes:
        inside: (1, 1, *shape), how much of each voxel belongs to the region.
        across: (D, *shape), the unit vector across the border nearby, along the world's axes; 0 far from it.
    """

    inside: Batch
    across: Field

    @classmethod
    def of(cls, inside: Batch, space: Space, voxels: float) -> Border:
        """The border of a mask, whose normal is that of the mask smoothed by so many voxels of the finest axis."""
        soft = ops.smooth(inside, sigmas(max(voxels, 1.0), space))[0, 0]
        slopes = [
            torch.gradient(soft, dim=a)[0] if n > 1 else torch.zeros_like(soft) for a, n in enumerate(space.shape)
        ]
        slope = torch.einsum("a...,aj->j...", torch.stack(slopes), space.inverse[:-1, :-1].to(soft))
        length = slope.norm(dim=0)
        return cls(inside, torch.where(length * space.finest > FLAT, slope / length.clamp(min=1e-30), 0.0))

    def smoothed(self, field: Field, width: list[float]) -> Float[Tensor, "2 d *spatial"]:
        """A vector field made smooth on either side of the border, each side continued beyond it.

        Across the border both sides share what the whole, smoothed, says; along it each has the mean of its own side.
        """
        both = ops.smooth(field[None], width)
        found = []
        for share in (self.inside, 1 - self.inside):
            near = ops.smooth(torch.cat([share * field[None], share], dim=1), width)
            own = (near[:, :-1] + LEAST * both) / (near[:, -1:] + LEAST)
            apart = (self.across * (both - own)[0]).sum(dim=0)
            found.append(own[0] + self.across * apart)
        return torch.stack(found)

    def mixed(self, sides: Float[Tensor, "2 d *spatial"]) -> Field:
        """Each side where it belongs."""
        return sides[1] + self.inside[0] * (sides[0] - sides[1])

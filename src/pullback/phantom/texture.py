"""Band-limited random texture that is a formula in the tissue's own coordinates, so that it moves with the tissue."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pullback.phantom.seeds import unit_vectors
from pullback.typing import Float, PointsTensor, Tensor


@dataclass(frozen=True, eq=False)
class Texture:
    """A sum of cosine waves: about Gaussian, of mean 0 and standard deviation 1, with no detail finer than its band.

    Attributes:
        waves: (D, count) wave vectors, radians per mm.
        phases: (count,) radians.

    Example:
        >>> texture = Texture.random(torch.Generator().manual_seed(0), (6.0, 14.0))
        >>> texture(torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    waves: Float[Tensor, "d count"]
    phases: Float[Tensor, " count"]

    @classmethod
    def random(
        cls, generator: torch.Generator, wavelengths_mm: tuple[float, float], count: int = 24, dimension: int = 3
    ) -> Texture:
        """Waves of random direction, phase and wavelength between the two given."""
        shortest, longest = wavelengths_mm
        share = torch.rand(count, generator=generator, dtype=torch.float64)
        frequency = 1 / longest + (1 / shortest - 1 / longest) * share
        waves = (2 * math.pi * frequency[:, None] * unit_vectors(generator, count, dimension)).T
        phases = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
        return cls(waves, phases)

    def __call__(self, points: PointsTensor) -> Float[Tensor, " *n"]:
        """The texture at points (..., D), in their precision."""
        total = torch.zeros_like(points[..., 0])
        for wave, phase in zip(self.waves.T.tolist(), self.phases.tolist(), strict=True):
            angle = torch.full_like(total, phase)
            for axis, k in enumerate(wave):
                angle.add_(points[..., axis], alpha=k)
            total += angle.cos_()
        return total * math.sqrt(2 / len(self.phases))

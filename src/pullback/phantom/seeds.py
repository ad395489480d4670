"""One seed, many independent streams of random numbers: what one part draws never changes what another part draws."""

import zlib

import torch

from pullback.typing import Tensor


def stream(seed: int, *names: object) -> torch.Generator:
    """A generator on the CPU for one named purpose; the same seed and names give the same bits.

    Example:
        >>> torch.rand(1, generator=stream(3, "noise")) == torch.rand(1, generator=stream(3, "noise"))
        tensor([True])
    """
    text = "/".join(str(name) for name in (seed, *names))
    return torch.Generator().manual_seed(zlib.crc32(text.encode()))


def uniform(generator: torch.Generator, low: float, high: float) -> float:
    """One number between low and high."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def unit_vectors(generator: torch.Generator, count: int, dimension: int) -> Tensor:
    """Directions spread evenly over the circle or sphere, (count, dimension) float64."""
    vectors = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    lengths: Tensor = vectors.norm(dim=1, keepdim=True)
    return vectors / lengths

"""Banded matrices along an axis, as the compiled kernels take them: each row from its first weight that is not zero."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops._lines import linear_reading
from pullback.typing import Float, Int, Tensor


@dataclass(frozen=True)
class Band:
    """The rows of a banded matrix, cut out from their first weight that is not zero."""

    first: Int[Tensor, " m"]
    weights: Float[Tensor, "m w"]

    @classmethod
    def of(cls, matrix: Float[Tensor, "m n"]) -> Band:
        """The band of a dense matrix."""
        n, filled = matrix.shape[1], matrix != 0
        first = torch.where(filled.any(dim=1), filled.int().argmax(dim=1), 0)
        last = torch.where(filled.any(dim=1), n - 1 - filled.flip(1).int().argmax(dim=1), 0)
        width = int((last - first).max()) + 1
        first = first.clamp(max=n - width)  # so that every row's band ends within the line
        weights = matrix.gather(1, first[:, None] + torch.arange(width))
        return cls(first.to(torch.int32), weights.to(torch.float32).contiguous())


@lru_cache(maxsize=64)
def between(n: int, m: int) -> tuple[Band, Band]:
    """Linear reading of n voxels at m over the same field of view, and its transpose."""
    matrix = linear_reading(n, m)
    return Band.of(matrix), Band.of(matrix.T)


def arguments(bands: list[Band]) -> list[Any]:
    """Three bands (of fewer axes, the first ones are single voxels) as the kernels take them."""
    single = [between(1, 1)[0]] * (3 - len(bands))
    return [
        a for b in single + bands for a in (_native.pointer(b.first), _native.pointer(b.weights), b.weights.shape[1])
    ]

"""percentiles: of millions of values, without sorting them all."""

from __future__ import annotations

import numpy as np

from pullback.typing import Tensor

ENOUGH = 1_000_000
"""So many values tell a percentile."""


def percentiles(values: Tensor, wanted: tuple[float, ...]) -> list[float]:
    """Percentiles of the values, each the value of one of them; of millions, those of an even share of them."""
    flat = values.detach().flatten()
    few = flat[:: max(1, flat.numel() // ENOUGH) | 1]  # an odd step does not stay in one column
    ranks = [round((few.numel() - 1) * p / 100) for p in wanted]
    if few.device.type == "cuda":  # there sorting takes less than the way to the CPU
        found: list[float] = few.sort().values[ranks].tolist()
        return found
    sorted_there = np.partition(few.cpu().numpy(), ranks)
    return [float(sorted_there[rank]) for rank in ranks]

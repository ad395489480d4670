"""Many errors in millimetres, in a few figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pullback.errors import InputError
from pullback.typing import Float, Tensor


@dataclass(frozen=True)
class ErrorSummary:
    """Errors of landmarks (TRE) or of voxels (end-point error) in a few figures, in mm.

    Attributes:
        mean: their mean.
        median: half of them are smaller.
        p95: 95 % of them are smaller; between two of them, in a straight line (as NumPy has it by default).
        largest: the worst.
        within_2mm_percent: how many of them are less than 2 mm.
        count: how many there are.
        left_out: how many were NaN and are not counted: voxels outside a mask, landmarks that nobody set.
    """

    mean: float
    median: float
    p95: float
    largest: float
    within_2mm_percent: float
    count: int
    left_out: int


def summarise(errors: Float[Tensor, "*n"]) -> ErrorSummary:
    """A summary of errors; NaN is left out.

    Args:
        errors: mm, of any shape; what `target_registration_error` or `end_point_error` gave.

    Raises:
        InputError: there is nothing but NaN, or nothing at all.

    Example:
        >>> summary = summarise(torch.tensor([1.0, 2.0, 6.0, torch.nan]))
        >>> summary.mean, summary.median, summary.count, summary.left_out
        (3.0, 2.0, 3, 1)
    """
    every = errors.detach().to("cpu", torch.float64).flatten().numpy()
    known = every[~np.isnan(every)]
    if known.size == 0:
        raise InputError(f"there is no error to summarise: of {every.size} numbers none is known")
    median, p95 = np.percentile(known, [50, 95]).tolist()
    return ErrorSummary(
        mean=float(known.mean()),
        median=median,
        p95=p95,
        largest=float(known.max()),
        within_2mm_percent=100 * float((known < 2.0).mean()),
        count=int(known.size),
        left_out=int(every.size - known.size),
    )

"""matched: an image with the brightness of another, for measures that one tissue must look alike to in both."""

from __future__ import annotations

import math

import torch

from pullback.registration.percentiles import percentiles
from pullback.typing import Float, Tensor

FAINTEST = 0.01
"""What is darker counts as this dark, so that logarithms end."""
BINS = 256
QUANTILES = 16
"""So many parts of the foreground, of as many voxels each, are told apart."""
FEWEST = 64
"""A foreground of fewer voxels has no histogram to speak of."""


def matched(
    moving: Float[Tensor, "*_spatial"],
    fixed: Float[Tensor, "*_other"],
    moving_counted: Tensor | None = None,
    fixed_counted: Tensor | None = None,
) -> Float[Tensor, "*_spatial"]:
    """The moving image with its brightness bent, piece by straight piece, so that its quantiles are the fixed image's.

    Quantiles of the foreground, so that more air about one of the images changes nothing (Nyul, Udupa & Zhang, IEEE
    Transactions on Medical Imaging 19(2), 2000). The background ends at Otsu's threshold of the logarithms: a gain or a
    power of brightness moves it along (Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9(1), 1979).

    Args:
        moving: in [0, 1].
        fixed: in [0, 1], on any grid.
        moving_counted: which voxels tell of brightness; all by default.
        fixed_counted: likewise.

    Returns:
        In [0, 1]; the moving image itself where one of the two has next to no foreground.
    """
    here, there = _knots(_values(moving, moving_counted)), _knots(_values(fixed, fixed_counted))
    return moving if here is None or there is None else _bent(moving, here, there)


def _values(image: Tensor, counted: Tensor | None) -> Float[Tensor, " n"]:
    return image.flatten() if counted is None else image[counted]


def _knots(values: Float[Tensor, " n"]) -> list[float] | None:
    """The end of the background, and the foreground's quantiles, rising from 0 to 1; None without a foreground."""
    start = _background(values)
    seen = values[values > start]
    if len(seen) < FEWEST:
        return None
    knots = [start, *percentiles(seen, tuple(100 * k / QUANTILES for k in range(1, QUANTILES)))]
    return [0.0, *(min(max(knot, k * 1e-6), 1 - 1e-6) for k, knot in enumerate(knots, start=1)), 1.0]


def _background(values: Float[Tensor, " n"]) -> float:
    """The brightness that parts the logarithms of the values best into two."""
    logs = values.clamp(min=FAINTEST).log() / -math.log(FAINTEST) + 1
    counts = torch.histc(logs, BINS, 0.0, 1.0).to("cpu", torch.float64)
    at = (torch.arange(BINS, dtype=torch.float64) + 0.5) / BINS
    share = counts.cumsum(0) / counts.sum()
    mean = (counts * at).cumsum(0) / counts.sum()
    between = (mean[-1] * share - mean).square() / (share * (1 - share)).clamp(min=1e-9)
    return math.exp((float(at[between.argmax()]) - 1) * -math.log(FAINTEST))


def _bent(image: Tensor, here: list[float], there: list[float]) -> Tensor:
    """A piecewise straight function of every voxel, through the points (here, there)."""
    x, y = (torch.tensor(knots, dtype=image.dtype, device=image.device) for knots in (here, there))
    piece = torch.bucketize(image, x[1:-1])
    slope = (y[1:] - y[:-1]) / (x[1:] - x[:-1]).clamp(min=1e-6)
    bent: Tensor = (y[piece] + (image - x[piece]) * slope[piece]).clamp(0, 1)
    return bent

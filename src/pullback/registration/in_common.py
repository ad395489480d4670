"""in_common: what two images that lie on each other tell about each other, where there is tissue.

The background is left out: it is dark in every contrast, and would make any two heads alike.
"""

from __future__ import annotations

import math

import torch

from pullback.image import Image
from pullback.space import Space
from pullback.transforms import Affine, Transform, resample
from pullback.transforms.on_device import on_device
from pullback.typing import Float, Tensor

LOOK = {2: 96, 3: 64}
"""Voxels along each axis when two images are compared, at most, in 2-D and 3-D."""
FEWEST = 16
"""So few voxels tell nothing."""
BINS = 16
OUTLIERS = 0.01
"""This share of the voxels at either end does not stretch the bins."""
KNOWN = 0.99


def seen_by_both(
    fixed: Image,
    moving: Image,
    transform: Transform,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    look: int | None = None,
) -> Float[Tensor, "2 voxels"]:
    """The values of the fixed and of the warped image where both are known.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        transform: fixed world -> moving world.
        fixed_mask: nothing counts where it is below 1.
        moving_mask: the same for the moving image.
        look: voxels along each axis at most; see `LOOK`.

    Returns:
        In double precision, of all channels one after another.
    """
    most = LOOK[fixed.dimension] if look is None else look
    space = fixed.space.resized(tuple(min(n, most) for n in fixed.space.shape))
    here = on_device(Affine.identity(fixed.dimension), fixed.data.device)
    a, b = _read(fixed, here, space), _read(moving, transform, space)
    known = _read(_first(moving, 1.0) if moving_mask is None else _first(moving_mask), transform, space) > KNOWN
    if fixed_mask is not None:
        known = known & (_read(_first(fixed_mask), here, space) > KNOWN)
    known = known.repeat(fixed.channels)
    return torch.stack([a[known], b[known]])


def correlation(values: Float[Tensor, "2 voxels"]) -> float:
    """Pearson's, where either image is brighter than its median.

    0 where too little is seen, or one of the images is constant there.
    """
    if values.shape[1] < FEWEST:
        return 0.0
    tissue = values[:, (values > values.median(dim=1, keepdim=True).values).any(dim=0)]
    if tissue.shape[1] < FEWEST or float(tissue.std(dim=1).min()) == 0:
        return 0.0
    return float(torch.corrcoef(tissue)[0, 1])


def shared_information(values: Float[Tensor, "2 voxels"]) -> float:
    """How much of what either image tells the other one tells as well: 2 I(a, b) / (H(a) + H(b)), 0 to 1.

    Also known as symmetric uncertainty. The mean of two looks: where the one image is brighter than its median, and
    where the other is. (Where either is, even strangers depend on each other: what is dark in one is bright in the
    other.) The mutual information is that of a histogram, less what chance adds to it (Miller and Madow). NaN where too
    little is seen, or where the images are constant.
    """
    if values.shape[1] < FEWEST:
        return math.nan
    bright = values > values.median(dim=1, keepdim=True).values
    return sum(_shared(values[:, where]) for where in bright) / 2


def _shared(values: Float[Tensor, "2 voxels"]) -> float:
    if values.shape[1] < FEWEST:
        return math.nan
    joint = torch.zeros(BINS * BINS, dtype=torch.float64, device=values.device)
    first, second = (_bin(row) for row in values)
    joint.index_add_(0, first * BINS + second, torch.ones_like(values[0]))
    joint = joint.view(BINS, BINS)
    sides = joint.sum(dim=1), joint.sum(dim=0)
    alone = sum(_entropy(side) for side in sides)
    if alone <= 0:
        return math.nan
    used = [int((counts > 0).sum()) for counts in (joint, *sides)]
    by_chance = (used[0] - used[1] - used[2] + 1) / (2 * values.shape[1])
    return min(1.0, max(0.0, 2 * (alone - _entropy(joint) - by_chance) / alone))


def _bin(row: Float[Tensor, " voxels"]) -> Tensor:
    ordered = row.sort().values
    end = int(OUTLIERS * len(row))
    low, high = float(ordered[end]), float(ordered[-1 - end])
    return ((row - low) * (BINS / max(high - low, 1e-12))).long().clamp(0, BINS - 1)


def _entropy(counts: Tensor) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * shares.log()).sum())


def _first(image: Image, value: float | None = None) -> Image:
    """The first channel alone, which is what counts of a mask; or as much of one value."""
    channel = image.data[:1]
    return Image(channel if value is None else torch.full_like(channel, value), image.space)


def _read(image: Image, transform: Transform, space: Space) -> Tensor:
    """The values of all channels one after another, double precision."""
    return resample(image, transform, space).data.flatten().double()

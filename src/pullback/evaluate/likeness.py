"""How alike two images look: MSE, NCC, LNCC and NMI, in the forms that papers print.

None of it is accuracy: a registration can make images alike and anatomy wrong. A registration minimises losses of
images that were scaled and smoothed; these figures are of the images as they are, at full resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.evaluate.points import checked_mask
from pullback.image import Image
from pullback.transforms import Transform, resample
from pullback.transforms.apply import reading
from pullback.typing import Shaped, Tensor

RADIUS_VOXELS = 4
BINS = 64


@dataclass(frozen=True)
class Likeness:
    """Likeness of the fixed and the warped image, over the fixed voxels that are pulled from inside the moving image.

    Images of several channels: the mean over them. NaN where nothing overlaps, or where an image is constant there.

    Attributes:
        mse: mean squared difference, in the images' own units squared.
        ncc: Pearson's correlation of the intensities, -1 to 1; 1 is perfect.
        lncc: mean over voxels of the signed squared correlation in a box of 9 voxels along each axis (radius 4, as in
            ANTs' CC; fewer along axes of thick slices, for the same reach in mm), -1 to 1; 1 is perfect. Flat
            boxes agree: 1e-3 of the squared range of the intensities is added to covariance and variances.
        nmi: Studholme's (H_fixed + H_warped) / H_joint, of 64 x 64 bins between each image's least and greatest value
            there; 1 is no relation, 2 a relation without exception.
        overlap_percent: how much of the fixed image (under the mask) is pulled from inside the moving one.
    """

    mse: float
    ncc: float
    lncc: float
    nmi: float
    overlap_percent: float


def likeness(
    fixed: Image, moving: Image, transform: Transform, mask: Shaped[Tensor, "*spatial"] | None = None
) -> Likeness:
    """How alike the fixed image and the moving one, pulled back linearly, are.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        transform: fixed world -> moving world; the identity tells how alike they were before.
        mask: (*fixed.space.shape), where to look; everywhere by default.

    Raises:
        InputError: channels or dimensions differ, or the mask does not fit or is empty.

    Example:
        >>> from pullback.transforms import Affine
        >>> image = Image.of(torch.arange(64.0).view(8, 8))
        >>> found = likeness(image, image, Affine.identity(2))
        >>> found.mse, round(found.ncc, 6), round(found.nmi, 6)
        (0.0, 1.0, 2.0)
    """
    if fixed.channels != moving.channels:
        raise InputError(f"images of {fixed.channels} and {moving.channels} channels cannot be compared")
    whole = torch.ones(fixed.space.shape, dtype=torch.bool) if mask is None else checked_mask(mask, fixed.space).cpu()
    warped = resample(moving, transform, fixed.space).data.detach().to("cpu", torch.float32)
    data = fixed.data.detach().to("cpu", torch.float32)
    matrix, displacement, mix = reading(transform, moving.space, fixed.space)
    overlap = ops.inside(moving.space.shape, matrix, displacement, mix, shape=fixed.space.shape)[0, 0].cpu() > 0
    counted = whole & overlap & data.isfinite().all(dim=0) & warped.isfinite().all(dim=0)
    share = 100 * float((whole & overlap).sum()) / float(whole.sum())
    if not bool(counted.any()):
        return Likeness(math.nan, math.nan, math.nan, math.nan, share)
    reach = RADIUS_VOXELS * fixed.space.finest
    radii = tuple(round(reach / s) for s in fixed.space.spacing)
    each = [_compare(f, w, counted, radii) for f, w in zip(data, warped, strict=True)]
    mse, ncc, lncc, nmi = (float(np.mean(figures)) for figures in zip(*each, strict=True))
    return Likeness(mse, ncc, lncc, nmi, share)


def _compare(fixed: Tensor, warped: Tensor, counted: Tensor, radii: tuple[int, ...]) -> tuple[float, ...]:
    """(MSE, NCC, LNCC, NMI) of one channel."""
    f, w = (image[counted].to(torch.float64).numpy() for image in (fixed, warped))
    mse = float(np.mean((f - w) ** 2))
    if f.min() == f.max() or w.min() == w.max():
        return mse, math.nan, math.nan, math.nan
    ncc = float(np.mean((f - f.mean()) * (w - w.mean())) / (f.std() * w.std()))
    weight = counted.to(torch.float32)[None, None]
    unlike = ops.lncc(_scaled(fixed, f, counted), _scaled(warped, w, counted), radii, weight)
    return mse, ncc, 1 - float(unlike[0]), _nmi(f, w)


def _scaled(image: Tensor, values: np.ndarray, counted: Tensor) -> Tensor:
    """(1, 1, *shape) about [0, 1], as the floor of `ops.lncc` expects; 0 where nothing counts."""
    low, high = np.percentile(values, [0.1, 99.8])
    if high <= low:
        low, high = values.min(), values.max()
    scaled = (image - float(low)) / float(high - low)
    return scaled.where(counted, torch.zeros(()))[None, None]


def _nmi(f: np.ndarray, w: np.ndarray) -> float:
    joint = np.histogram2d(f, w, bins=BINS)[0] / f.size
    together = _entropy(joint)
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / together if together > 0 else math.nan


def _entropy(shares: np.ndarray) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())

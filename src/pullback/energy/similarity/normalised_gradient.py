"""NormalisedGradient: whether edges of both images run the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback.energy.similarity.similarity import Similarity
from pullback.ops._mean import weighted_mean
from pullback.space import Space
from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True)
class NormalisedGradient(Similarity):
    """1 - the mean of (|<f, w>| + eta^2)^2 / ((|f|^2 + eta^2) (|w|^2 + eta^2)), with f and w the slopes of the images.

    That is the squared cosine between (f, eta) and (w, eta), whichever way the one goes up: for different contrasts
    whose edges fall together. Even ground agrees with even ground, and with no edge. Haber & Modersitzki, MICCAI 2006,
    LNCS 4191, without the eta in the product; with it identical images are perfect. Far-off edges do not see each
    other: start from a good alignment, on coarse levels. Slopes look only at voxels that count.

    Attributes:
        eta: the slope that begins to count as an edge, in parts of the brightness range per voxel of the finest axis;
            about twice that of the noise.
        ratios: length of the voxels along each axis, in units of the finest; set by `on` for each grid.
    """

    eta: float = 0.05
    ratios: tuple[float, ...] | None = None

    def on(self, space: Space) -> NormalisedGradient:
        """Slopes of this grid in one unit along every axis."""
        return replace(self, ratios=self.ratios or tuple(s / space.finest for s in space.spacing))

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        ratios = self.ratios or (1.0,) * (fixed.ndim - 2)
        along, f2, w2 = (torch.zeros_like(warped) for _ in range(3))
        for axis, ratio in enumerate(ratios, start=2):
            if fixed.shape[axis] > 1:
                f, w = (_slope(image, weight, axis) / ratio for image in (fixed, warped))
                along, f2, w2 = along + f * w, f2 + f.square(), w2 + w.square()
        floor = self.eta**2
        alike = (along.abs() + floor).square() / ((f2 + floor) * (w2 + floor))
        return weighted_mean(1 - alike, weight).mean(dim=1)


def _slope(image: Batch, weight: Batch | None, axis: int) -> Batch:
    """Per voxel: the mean of the differences to both neighbours, each as much as that neighbour counts."""
    n = image.shape[axis]
    step = torch.diff(image, dim=axis)
    count = image.new_ones([1, 1, *(n if a == axis else 1 for a in range(2, image.ndim))]) if weight is None else weight
    ahead, behind = count.narrow(axis, 1, n - 1), count.narrow(axis, 0, n - 1)
    total = _padded(ahead, axis, 1) + _padded(behind, axis, 0)
    summed = _padded(step * ahead, axis, 1) + _padded(step * behind, axis, 0)
    return torch.where(total > 0, summed / total.clamp(min=1e-12), 0.0)


def _padded(image: Batch, axis: int, after: int) -> Batch:
    """With one layer of zeros before or after an axis."""
    zeros = torch.zeros_like(image.narrow(axis, 0, 1))
    return torch.cat([image, zeros] if after else [zeros, image], dim=axis)

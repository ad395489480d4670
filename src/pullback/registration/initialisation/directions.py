"""directions: which way the edges of an image run, whatever the brightness on either side of them."""

from __future__ import annotations

import math
from itertools import combinations

import torch

from pullback import ops
from pullback.typing import Batch, Float, Tensor

SIGMA_VOXELS = 0.7
"""Noise of a voxel has no direction."""
FAINT = 0.5
"""An edge of this part of the mean slope counts half."""


@torch.no_grad()
def directions(image: Batch) -> Float[Tensor, "k *spatial"]:
    """The products n_i n_j of the edges' unit normals, without their trace, on a grid of even voxels.

    An edge and the same edge with dark and bright exchanged give the same numbers, so that two contrasts of one anatomy
    agree; where there is no edge they are near 0. Their scalar product is the squared cosine between two normals, but
    for a constant: the measure of normalised gradient fields (Haber & Modersitzki, Methods of Information in Medicine
    46(3), 2007), in a form of which a Fourier transform can take all shifts at once.

    Args:
        image: (1, c, *spatial), voxels of equal sides; channels are taken together.

    Returns:
        2 numbers per voxel in 2-D, 6 in 3-D.
    """
    d = image.ndim - 2
    smooth = ops.smooth(image, [SIGMA_VOXELS if n > 1 else 0.0 for n in image.shape[2:]])[0]
    slopes = [torch.gradient(smooth, dim=a + 1)[0] if smooth.shape[a + 1] > 1 else 0 * smooth for a in range(d)]
    power = sum((s * s).sum(dim=0) for s in slopes) + smooth.new_zeros(())
    scale = power + (FAINT * power.sqrt().mean()) ** 2 + 1e-20
    across = [math.sqrt(2) * (slopes[a] * slopes[b]).sum(dim=0) for a, b in combinations(range(d), 2)]
    along = [(s * s).sum(dim=0) - power / d for s in slopes]
    if d == 2:
        along = [math.sqrt(2) * along[0]]  # the other is its negative
    return torch.stack([*along, *across]) / scale

"""one_contrast: two images that differ by their pose, their shading and noise, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import torch

from pullback import ops
from pullback.energy import NCC, Pair
from pullback.energy.pair import counted_weight, where_read
from pullback.energy.part import ImagePart
from pullback.registration.shading import shaded
from pullback.transforms import Transform
from pullback.typing import Float, Tensor

LEAST_LOSS = 1e-8
"""Keeps the slope of a root finite where the images are equal."""


def unshaded(pair: Pair, transform: Transform) -> ImagePart:
    """The correlation of a pair, whose fixed image has taken on the shading of the moving one.

    Args:
        pair: the images.
        transform: fixed world -> moving world, nearly right.
    """
    with torch.no_grad():
        where = where_read(pair, transform)
        warped = ops.sample(pair.moving, *where, shape=pair.fixed_space.shape)
        fixed = shaded(pair.fixed, warped, counted_weight(pair, where))
    return ImagePart(NCC(), replace(pair, fixed=fixed))


def difference(part: ImagePart, transform: Transform) -> Float[Tensor, ""]:
    """The root mean square difference of the two images, each scaled to a norm of 1, over the root of 2.

    For noise of unknown strength it is the root of 1 - correlation that should be small; where several such differences
    are added, each then weighs by its inverse.
    """
    return (part.loss(transform).clamp(min=0) + LEAST_LOSS).sqrt()

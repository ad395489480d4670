"""The mean squared difference of an image and another one that is read at places of it: no warped image in between."""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.ops._pairs import check_pair
from pullback.ops.sample import checked_shape
from pullback.ops.sampled_mse.abreast import abreast
from pullback.typing import Batch, Float, Matrix, Tensor

__all__ = ["abreast", "sampled_mse"]


def sampled_mse(
    fixed: Batch,
    moving: Batch,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    weight: Batch | None = None,
) -> Float[Tensor, " b"]:
    """`mse(fixed, sample(moving, matrix, displacement, mix), weight)`, quickest for images of many channels `abreast`.

    Args:
        fixed: (b, c, *shape).
        moving: (b, c, *spatial).
        matrix: (D, D+1), voxels of the fixed image -> voxels of the moving one; or one for each of the batch.
        displacement: (b, D, *shape), added through `mix`.
        mix: (D, D), the identity by default.
        weight: (b, 1, *shape), how much each voxel counts; all alike by default.

    Returns:
        (b,), differentiable in all that it is given.

    Raises:
        InputError: the shapes disagree.
    """
    shape = checked_shape(moving, matrix, displacement, mix, tuple(fixed.shape[2:]))
    if shape != tuple(fixed.shape[2:]) or fixed.shape[1] != moving.shape[1]:
        raise InputError("sampled_mse needs two images of as many channels, and a displacement of the fixed one's "
                         f"shape; got {tuple(fixed.shape)}, {tuple(moving.shape)} and {shape}")  # fmt: skip
    check_pair(fixed, fixed, weight, "sampled_mse")
    mix = (
        torch.eye(len(shape), dtype=matrix.dtype, device=matrix.device) if mix is None or displacement is None else mix
    )
    row = _dispatch.choose("sampled_mse", fixed, moving, displacement, weight)
    result: Tensor = row(fixed, moving, matrix, displacement, mix, weight)
    return result

"""The joint histogram of an image and another one that is read at places of it: no warped image in between."""

from __future__ import annotations

import torch

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.ops.sample import checked_shape
from pullback.typing import Batch, Float, Matrix, Tensor


def sampled_histogram(
    fixed: Batch,
    moving: Batch,
    bins: int,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    weight: Batch | None = None,
) -> Float[Tensor, "1 {bins} {bins}"]:
    """`joint_histogram` of the fixed image and of what `sample` reads from inside the moving one, on the CPU.

    There, because a few numbers are worked on faster than on a GPU, and are differentiated without waiting for one.

    Args:
        fixed: (1, 1, *shape), values in [0, 1].
        moving: (1, 1, *spatial), likewise.
        bins: number of bins for each image, at least 5.
        matrix: (D, D+1), voxels of the fixed image -> voxels of the moving one.
        displacement: (1, D, *shape), added through `mix`.
        mix: (D, D), the identity by default.
        weight: (1, 1, *shape), how much each voxel counts; those that are read from outside count nothing.

    Returns:
        (1, bins, bins), rows fixed; differentiable in matrix and mix.

    Raises:
        InputError: the images are not one pair of one channel, the shapes disagree, or there are too few bins.
    """
    if fixed.shape[:2] != (1, 1) or moving.shape[:2] != (1, 1) or matrix.ndim != 2:
        raise InputError("sampled_histogram needs two images of shape (1, 1, *spatial) and one matrix; got "
                         f"{tuple(fixed.shape)}, {tuple(moving.shape)} and {tuple(matrix.shape)}")  # fmt: skip
    shape = checked_shape(moving, matrix, displacement, mix, tuple(fixed.shape[2:]))
    if shape != tuple(fixed.shape[2:]) or (weight is not None and weight.shape != fixed.shape):
        raise InputError(f"displacement and weight must have the fixed image's shape {tuple(fixed.shape[2:])}")
    if bins < 5:
        raise InputError(f"a joint histogram needs at least 5 bins; got {bins}")
    if mix is None or displacement is None:
        mix = torch.eye(len(shape), dtype=matrix.dtype, device=matrix.device)
    row = _dispatch.choose("sampled_histogram", fixed, moving, displacement, weight)
    result: Tensor = row(fixed, moving, bins, matrix, displacement, mix, weight)
    return result

"""Which output voxels are read from inside an image."""

import torch

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Float, Matrix, Shape, Tensor


def inside(
    size: Shape,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    *,
    shape: Shape | None = None,
    device: torch.device | None = None,
) -> Float[Tensor, "_b 1 *_shape"]:
    """1 where p(v), as `sample` defines it, lies within half a voxel of an image of spatial shape `size`, 0 elsewhere.

    Args:
        size: the image's spatial shape.
        matrix: (D, D+1) output voxel -> image voxel, or (b, D, D+1).
        displacement: (b, D, *shape), added through `mix`; or on a coarser grid over the same field of view, see
            `sample_coarse`, where a shape is given.
        mix: (D, D), what one unit of displacement is in image voxels; the identity by default.
        shape: the output's spatial shape; that of the displacement by default.
        device: where to compute; that of the displacement where there is one, else of the matrix.

    Returns:
        (b, 1, *shape); not differentiable.

    Raises:
        InputError: neither shape nor displacement is given.
    """
    if shape is None and displacement is None:
        raise InputError("inside needs an output shape or a displacement")
    shape = tuple(displacement.shape[2:]) if shape is None and displacement is not None else shape
    assert shape is not None
    mix = torch.eye(len(size), dtype=matrix.dtype, device=matrix.device) if mix is None else mix
    device = (matrix.device if device is None else device) if displacement is None else displacement.device
    like = torch.empty(0, dtype=torch.float32, device=device) if displacement is None else displacement
    row = _dispatch.choose("inside", like)
    with torch.no_grad():
        result: Tensor = row(tuple(size), matrix, displacement, mix, tuple(shape), device)
    return result

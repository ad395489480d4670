"""`inside` by a Triton kernel."""

import torch

from pullback.ops import _cuda
from pullback.ops._cuda_reading import Places
from pullback.ops._cuda_reading import inside as where
from pullback.typing import Batch, Float, Matrix, Shape, Tensor

available = _cuda.missing
supports = _cuda.suits


def inside(
    size: Shape, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, device: torch.device
) -> Float[Tensor, "_b 1 *_shape"]:
    """See `pullback.ops.inside`."""
    return where(size, Places.of(matrix, displacement, mix, shape, None), device)

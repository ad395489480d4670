"""`sample_coarse` by a Triton kernel: each voxel reads its displacement from the coarse grid, then the image."""

from pullback.ops import _cuda
from pullback.ops._cuda_reading import Places, read
from pullback.typing import Batch, Matrix, Shape, Tensor

available = _cuda.missing


def supports(image: Tensor, displacement: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return image.numel() > 0 and displacement.numel() > 0 and _cuda.suits(image, displacement)


def sample_coarse(
    image: Batch, matrix: Matrix, displacement: Batch, mix: Matrix, shape: Shape, outside: float | None
) -> Batch:
    """See `pullback.ops.sample_coarse`."""
    return read(image.contiguous(), Places.of(matrix, displacement, mix, shape, outside))

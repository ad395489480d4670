"""Read an image at positions that a displacement on a coarser grid moves."""

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.typing import Batch, Matrix, Shape, Tensor


def sample_coarse(
    image: Batch, matrix: Matrix, displacement: Batch, mix: Matrix, shape: Shape, outside: float | None = None
) -> Batch:
    """What `sample` gives with the displacement read linearly at every output voxel, without storing that fine field.

    Args:
        image: (b, c, *spatial).
        matrix: (D, D+1) output voxel -> image voxel.
        displacement: (b, D, *coarse), over the same field of view as the output, no axis finer; its edge is repeated.
        mix: (D, D), what one unit of displacement is in image voxels.
        shape: the output's spatial shape.
        outside: see `sample`.

    Returns:
        (b, c, *shape), read linearly; not differentiable.

    Raises:
        InputError: the shapes disagree.
    """
    d, coarse = image.ndim - 2, tuple(displacement.shape[2:])
    fits = len(displacement) == len(image) and displacement.shape[1] == d and tuple(matrix.shape) == (d, d + 1)
    if not fits or len(coarse) != d or len(shape) != d or any(a > b for a, b in zip(coarse, shape, strict=True)):
        raise InputError(f"sample_coarse needs, for a {d}D image, as many displacements (b, {d}, *coarse) on a grid no "
                         f"finer than the output, and a ({d}, {d + 1}) matrix; got {tuple(displacement.shape)} for "
                         f"{tuple(shape)} and {tuple(matrix.shape)}")  # fmt: skip
    image, displacement = image.detach(), displacement.detach()
    row = _dispatch.choose("sample_coarse", image, displacement)
    result: Tensor = row(image, matrix, displacement, mix, tuple(shape), outside)
    return result

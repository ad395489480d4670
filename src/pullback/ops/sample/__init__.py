"""Read an image at positions between its voxels: the heart of every pull-back.

The positions are affine in the output voxel v and, optionally, in a displacement d(v):

    p(v) = matrix[:, :-1] v + matrix[:, -1] + mix d(v)          (voxels of the image)

so that an affine map, a displacement field in any unit, and one after the other are all read in a single pass.
"""

from typing import get_args

import torch

from pullback.errors import InputError
from pullback.ops import _dispatch, _traced
from pullback.typing import Batch, Float, Interpolation, Matrix, Shape, Tensor

INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)


def sample(
    image: Batch,
    matrix: Matrix,
    displacement: Batch | None = None,
    mix: Matrix | None = None,
    *,
    shape: Shape | None = None,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
) -> Batch:
    """The values of `image` at p(v) for every output voxel v.

    Args:
        image: (b, c, *spatial), or b = 1 to read one image at several sets of positions.
        matrix: (D, D+1) output voxel -> image voxel, or (b, D, D+1), one for each of the batch.
        displacement: (b, D, *shape), added through `mix`.
        mix: (D, D), what one unit of displacement is in image voxels; the identity by default.
        shape: the output's spatial shape; taken from the displacement where there is one.
        interpolation: nearest (halves go up), linear, or cubic (interpolating B-spline).
        outside: None repeats the edge for ever; a number is given to positions more than half a voxel outside the
            image (ITK's rule), and the edge is repeated within that half voxel.

    Returns:
        (b, c, *shape), differentiable in image, matrix, displacement and mix (nearest: in the image only).

        A position that is not a number reads the first voxel, or `outside`.

    Raises:
        InputError: neither shape nor displacement is given, dimensions or batches disagree, or the interpolation has no
            such name.
    """
    if interpolation not in INTERPOLATIONS:
        raise InputError(f"there is no interpolation {interpolation!r}; choose one of {', '.join(INTERPOLATIONS)}")
    if _traced.exporting() and outside is None:
        return _traced.sample(image, matrix, displacement, mix, interpolation)
    shape = checked_shape(image, matrix, displacement, mix, shape)
    mix = _mix(None if displacement is None else mix, matrix)  # without a displacement it is no gradient's concern
    row = _dispatch.choose("sample", image, displacement, mix=mix, interpolation=interpolation)
    result: Tensor = row(image, matrix, displacement, mix, shape=shape, interpolation=interpolation, outside=outside)
    return result


def sample_points(
    image: Float[Tensor, "1 c *spatial"], voxels: Float[Tensor, "n d"], interpolation: Interpolation = "linear"
) -> Float[Tensor, "c n"]:
    """The values of an image, its edge repeated, at any list of voxel positions."""
    d = voxels.shape[-1]
    displacement = voxels.T.reshape(1, d, -1, *[1] * (d - 1))
    matrix = torch.zeros(d, d + 1, dtype=torch.float64)
    return sample(image, matrix, displacement, interpolation=interpolation).reshape(image.shape[1], len(voxels))


def _mix(mix: Matrix | None, matrix: Matrix) -> Matrix:
    d = matrix.shape[-2]
    return torch.eye(d, dtype=matrix.dtype, device=matrix.device) if mix is None else mix


def checked_shape(
    image: Tensor, matrix: Tensor, displacement: Tensor | None, mix: Tensor | None, shape: Shape | None
) -> Shape:
    """The output's spatial shape, once everything is known to fit together."""
    d = image.ndim - 2
    if tuple(matrix.shape[-2:]) != (d, d + 1) or matrix.ndim > 3:
        raise InputError(f"a {d}D image needs a ({d}, {d + 1}) matrix; got {tuple(matrix.shape)}")
    if mix is not None and tuple(mix.shape) != (d, d):
        raise InputError(f"the displacement of a {d}D image needs a ({d}, {d}) mix; got {tuple(mix.shape)}")
    if displacement is not None:
        if displacement.ndim != d + 2 or displacement.shape[1] != d:
            raise InputError(f"a {d}D image needs a (b, {d}, *shape) displacement; got {tuple(displacement.shape)}")
        shape = tuple(displacement.shape[2:])
    if shape is None:
        raise InputError("sample needs an output shape or a displacement")
    if len(shape) != d or min(shape) < 0:
        raise InputError(f"a {d}D image is read onto a grid of {d} axes; got the shape {tuple(shape)}")
    batches = [image.shape[0], *matrix.shape[:-2], *([] if displacement is None else [displacement.shape[0]])]
    if len({b for b in batches if b != 1}) > 1:
        raise InputError(f"image, matrix and displacement must have one batch size (or 1); got {batches}")
    return tuple(shape)

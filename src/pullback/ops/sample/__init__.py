"""Read an image at positions between its voxels: the heart of every pull-back.

The positions are affine in the output voxel v and, optionally, in a displacement d(v):

    p(v) = matrix[:, :-1] v + matrix[:, -1] + mix d(v)          (voxels of the image)

so that an affine map, a displacement field in any unit, and one after the other are all read in a single pass.
"""

import torch

from pullback.errors import InputError
from pullback.ops import _dispatch
from pullback.ops.sample import reference
from pullback.typing import Batch, Float, Interpolation, Matrix, Shape, Tensor


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

    Raises:
        InputError: neither shape nor displacement is given, or dimensions disagree.
    """
    shape = _checked_shape(image, matrix, displacement, shape)
    row = _dispatch.choose("sample", image, displacement)
    mix = _mix(mix, matrix)
    result: Tensor = row(image, matrix, displacement, mix, shape=shape, interpolation=interpolation, outside=outside)
    return result


def inside(
    size: Shape, matrix: Matrix, displacement: Batch | None = None, mix: Matrix | None = None, *, shape: Shape | None = None
) -> Batch:
    """1 where p(v) lies within half a voxel of an image of spatial shape `size`, 0 elsewhere; (b, 1, *shape)."""
    shape = shape if displacement is None else tuple(displacement.shape[2:])
    if shape is None:
        raise InputError("inside needs an output shape or a displacement")
    with torch.no_grad():
        positions = reference.positions(matrix, displacement, _mix(mix, matrix), shape)
        return reference.is_inside(positions, size).to(positions.dtype)[:, None]


def sample_points(image: Batch, voxels: Float[Tensor, "n d"], interpolation: Interpolation = "linear") -> Float[Tensor, "c n"]:
    """The values of image (1, c, *spatial), its edge repeated, at any list of voxel positions (N, D)."""
    d = voxels.shape[-1]
    displacement = voxels.T.reshape(1, d, -1, *[1] * (d - 1))
    matrix = torch.zeros(d, d + 1, dtype=torch.float64)
    return sample(image, matrix, displacement, interpolation=interpolation).reshape(image.shape[1], -1)


def _mix(mix: Matrix | None, matrix: Matrix) -> Matrix:
    d = matrix.shape[-2]
    return torch.eye(d, dtype=matrix.dtype, device=matrix.device) if mix is None else mix


def _checked_shape(image: Tensor, matrix: Tensor, displacement: Tensor | None, shape: Shape | None) -> Shape:
    d = image.ndim - 2
    if tuple(matrix.shape[-2:]) != (d, d + 1):
        raise InputError(f"a {d}D image needs a ({d}, {d + 1}) matrix; got {tuple(matrix.shape)}")
    if displacement is None:
        if shape is None:
            raise InputError("sample needs an output shape or a displacement")
        return tuple(shape)
    if displacement.shape[1] != d or displacement.ndim != d + 2:
        raise InputError(f"a {d}D image needs a (b, {d}, *shape) displacement; got {tuple(displacement.shape)}")
    return tuple(displacement.shape[2:])

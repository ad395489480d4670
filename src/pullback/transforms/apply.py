"""Pull images and labels back through a transform: warped(x) = moving(transform(x))."""

from functools import lru_cache
from typing import TypeAlias

import torch

from pullback import ops
from pullback.errors import SpaceError
from pullback.image import Image, Labels
from pullback.space import Space
from pullback.transforms.affine import Affine
from pullback.transforms.composite import Composite
from pullback.transforms.displacement import Displacement
from pullback.transforms.split import split
from pullback.transforms.transform import Transform
from pullback.typing import Batch, Interpolation, Matrix, Tensor


def resample(
    image: Image,
    transform: Transform,
    onto: Space,
    interpolation: Interpolation = "linear",
    outside: float | None = 0.0,
) -> Image:
    """The image pulled back onto a grid, in one interpolation however many parts the transform has.

    Args:
        image: what to pull back; it lies in the transform's moving world.
        transform: fixed world -> moving world.
        onto: the grid to make, in the fixed world.
        interpolation: nearest, linear or cubic.
        outside: the value more than half a voxel outside the image; None repeats its edge.

    Returns:
        An image on `onto`.

    Raises:
        SpaceError: image, transform and grid are not of one dimension.
    """
    _check(image.space, transform, onto)
    device = image.data.device
    coarse = reading_coarse(transform, image.space, onto) if interpolation == "linear" else None
    if coarse is not None and not any(tensor.requires_grad for tensor in (image.data, *coarse)):
        field = coarse[1].to(device, image.data.dtype)
        return Image(ops.sample_coarse(image.data[None], coarse[0], field, coarse[2], onto.shape, outside)[0], onto)
    matrix, displacement, mix = reading(transform, image.space, onto)
    data = ops.sample(
        image.data[None],
        matrix,
        None if displacement is None else displacement.to(device, image.data.dtype),
        mix,
        shape=onto.shape,
        interpolation=interpolation,
        outside=outside,
    )
    return Image(data[0], onto)


def resample_labels(labels: Labels, transform: Transform, onto: Space, smooth: bool = False) -> Labels:
    """Labels pulled back onto a grid; 0 outside.

    Args:
        labels: what to pull back.
        transform: fixed world -> moving world.
        onto: the grid to make, in the fixed world.
        smooth: False takes the nearest label; True reads the share of each label linearly, background and the outside
            among them, and takes the largest, which gives smoother outlines when grids differ.

    Returns:
        Labels on `onto`, of the same integer type.

    Raises:
        SpaceError: labels, transform and grid are not of one dimension.
    """
    _check(labels.space, transform, onto)
    matrix, displacement, mix = reading(transform, labels.space, onto)
    displacement = None if displacement is None else displacement.to(labels.data.device)

    def read(image: Tensor, interpolation: Interpolation, outside: float) -> Tensor:
        batch = image.to(torch.float32)[None, None]
        whole = ops.sample(
            batch, matrix, displacement, mix, shape=onto.shape, interpolation=interpolation, outside=outside
        )
        return whole[0, 0]

    values, index = torch.unique(labels.data, return_inverse=True)
    if not smooth:
        table = torch.cat([values.new_zeros(1), values])  # positions in it are small: single precision holds them
        return Labels(table[read(index + 1, "nearest", 0.0).long()], onto)
    best = read(labels.data == 0, "linear", 1.0)
    result = torch.zeros_like(best, dtype=values.dtype)
    for value in values[values != 0]:
        share = read(labels.data == value, "linear", 0.0)
        result = torch.where(share > best, value, result)
        best = torch.maximum(share, best)
    return Labels(result, onto)


Reading: TypeAlias = tuple[Matrix, Batch | None, Matrix]
"""Where to read, as `ops.sample` takes it: (matrix, displacement, mix)."""


def reading(transform: Transform, moving: Space, onto: Space) -> Reading:
    """The arguments (matrix, displacement, mix) with which `ops.sample` pulls back from `moving` onto a grid."""
    affine, field = split(transform, onto)
    into = moving.inverse @ affine.matrix
    return (into @ onto.matrix)[:-1], None if field is None else field[None], into[:-1, :-1]


def reading_coarse(transform: Transform, moving: Space, onto: Space) -> tuple[Matrix, Batch, Matrix] | None:
    """As `reading`, with the displacement on its own grid where that is coarser and covers `onto`; else None.

    For `ops.sample_coarse`: the fine displacement is not made.
    """
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    field, before = parts[-1], parts[:-1]
    affine = before[0] if before else Affine.identity(transform.dimension)
    if len(before) > 1 or not isinstance(field, Displacement) or not isinstance(affine, Affine):
        return None
    if not coarser(field.space, onto):
        return None
    into = moving.inverse @ affine.matrix
    return (into @ onto.matrix)[:-1], field.field[None], into[:-1, :-1]


@lru_cache(maxsize=16)
def coarser(space: Space, fine: Space) -> bool:
    """Whether a grid is another one cut into fewer voxels, along no axis into more."""
    no_finer = all(n <= m for n, m in zip(space.shape, fine.shape, strict=True))
    return no_finer and space.shape != fine.shape and fine.resized(space.shape).same_as(space)


def _check(space: Space, transform: Transform, onto: Space) -> None:
    if not space.dimension == transform.dimension == onto.dimension:
        raise SpaceError(f"cannot pull a {space.dimension}D image back through a {transform.dimension}D transform onto "
                         f"a {onto.dimension}D grid; all three must agree")  # fmt: skip

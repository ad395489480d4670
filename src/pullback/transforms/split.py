"""Split any transform into the form that a single pass over the image can read: a matrix after a displacement."""

import torch

from pullback.space import Space
from pullback.transforms.affine import Affine
from pullback.transforms.composite import Composite, chain
from pullback.transforms.transform import Transform
from pullback.typing import Field


def split(transform: Transform, space: Space) -> tuple[Affine, Field | None]:
    """(affine, field) with transform(x) = affine(x + field(x)) at every voxel centre x of `space`.

    Args:
        transform: any.
        space: the grid on which the field is wanted.

    Returns:
        The matrices on the moving side as one Affine, and the rest as a displacement (D, *shape) in mm on the grid, or
        None when there is no rest.
    """
    whole = chain(transform)
    parts = whole.parts if isinstance(whole, Composite) else (whole,)
    affine, rest = Affine.identity(transform.dimension), parts
    if isinstance(parts[0], Affine):
        affine, rest = parts[0], parts[1:]
    if not rest:
        return affine, None
    return affine, chain(*rest).displace(space)


def as_displacement(transform: Transform, space: Space) -> Field:
    """transform(x) - x at every voxel centre of a grid, (D, *shape) float32 mm."""
    return transform.displace(space).to(torch.float32)

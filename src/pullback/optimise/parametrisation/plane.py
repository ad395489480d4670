"""What a single slice can know of a motion: the part within its plane."""

import torch

from pullback.space import Space
from pullback.typing import Field


def within_plane(field: Field, space: Space) -> Field:
    """The part of a vector field along the axes of `space` that have more than one voxel; all of it if all have."""
    if 1 not in space.shape:
        return field
    wide = [a for a, n in enumerate(space.shape) if n > 1]
    axes = torch.linalg.qr(space.linear[:, wide]).Q
    return torch.einsum("ia,ja,j...->i...", axes.to(field), axes.to(field), field)

"""Jacobians at the voxels that matter: most cost nothing, and their gradient need not be worked out."""

from __future__ import annotations

import torch

from pullback import ops
from pullback.space import Space
from pullback.typing import Field, Float, Tensor

FEW = 0.25
"""Up to this share of the voxels, neighbours are gathered; for more of them, all determinants cost less."""


def jacobian_where(field: Field, space: Space, wanted: Tensor) -> Float[Tensor, " n"]:
    """det(I + du/dx) as `ops.jacobian` defines it, where a mask is true, in the order of its voxels; differentiable."""
    count = int(wanted.sum())
    if count > FEW * wanted.numel():
        every: Tensor = ops.jacobian(field[None], space.inverse[:-1, :-1])[0][wanted]
        return every
    stretch = space.inverse[:-1, :-1].to(field) @ _changes(field, space, wanted)
    determinants: Tensor = torch.linalg.det(stretch + torch.eye(space.dimension).to(field))
    return determinants


def slopes_where(field: Field, space: Space, wanted: Tensor) -> Float[Tensor, "n d d"]:
    """du/dx (component, axis) along the world's axes, by the same differences, where a mask is true."""
    return _changes(field, space, wanted) @ space.inverse[:-1, :-1].to(field)


def _changes(field: Field, space: Space, wanted: Tensor) -> Float[Tensor, "n d d"]:
    """How much each component changes from voxel to voxel along each axis; not at all across a single slice."""
    places, flat = wanted.nonzero(), field.flatten(1)
    found = []
    for axis, n in enumerate(space.shape):
        if n == 1:
            found.append(field.new_zeros(len(field), len(places)))
            continue
        stride = 1
        for size in space.shape[axis + 1 :]:
            stride *= size
        here, at = places[:, axis], _flat_index(places, space)
        ahead, back = (here < n - 1).long(), (here > 0).long()
        change = flat.index_select(1, at + ahead * stride) - flat.index_select(1, at - back * stride)
        found.append(change / (ahead + back).to(field))
    return torch.stack(found, dim=1).movedim(-1, 0)  # (component, axis, voxel) before


def _flat_index(places: Tensor, space: Space) -> Tensor:
    index = torch.zeros_like(places[:, 0])
    for axis, n in enumerate(space.shape):
        index = index * n + places[:, axis]
    return index


def jacobians(field: Field, space: Space) -> Float[Tensor, "*spatial"]:
    """All determinants, without a gradient."""
    with torch.no_grad():
        every: Tensor = ops.jacobian(field[None], space.inverse[:-1, :-1])[0]
    return every

"""penalty: what a regulariser costs on a transform, whatever the transform is made of."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pullback import ops
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.energy.regulariser.regulariser_sum import RegulariserSum, RegulariserTerm
from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms import BSpline, Displacement, Flow, Transform, Velocity
from pullback.transforms.composite import Composite
from pullback.typing import Batch, Field, Float, Tensor


def deformations(transform: Transform) -> list[Transform]:
    """The parts of a transform that a regulariser sees; matrices have no roughness."""
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    return [part for part in parts if isinstance(part, Displacement | Velocity | Flow | BSpline)]


def regions(regulariser: Regulariser) -> tuple[str, ...]:
    """The masks within which terms of a regulariser act, by name."""
    terms = regulariser.terms if isinstance(regulariser, RegulariserSum) else ()
    return tuple(dict.fromkeys(term.within for term in terms if term.within is not None))


def penalty(
    regulariser: Regulariser, part: Transform, grid: Space, regions: Mapping[str, Batch] | None = None
) -> Float[Tensor, ""]:
    """What a regulariser costs on one deformation, differentiable in its numbers.

    Args:
        regulariser: one, or a sum.
        part: one of `deformations(transform)`.
        grid: the fixed image's.
        regions: by name, (1, 1, *grid.shape): how much each voxel of the grid counts in a region.

    Raises:
        InputError: a term names a region that is not there.
    """
    terms = regulariser.terms if isinstance(regulariser, RegulariserSum) else (RegulariserTerm(regulariser),)
    costs = [term.weight * _cost(term, part, grid, regions or {}) for term in terms]
    total: Tensor = sum(costs[1:], costs[0])
    return total


def _cost(term: RegulariserTerm, part: Transform, grid: Space, regions: Mapping[str, Batch]) -> Float[Tensor, ""]:
    if isinstance(part, Flow) and not term.regulariser.of_displacement:  # the energy of the path
        each = [_cost(term, Velocity(field, part.space), grid, regions) for field in part.fields]
        return torch.stack(each).mean()
    field, space = _seen(part, grid, term.regulariser.of_displacement)
    weight = None
    if term.within is not None:
        if term.within not in regions:
            known = ", ".join(map(repr, regions)) or "none"
            raise InputError(f"a regulariser acts within {term.within!r}, but no mask has that name; got {known}")
        weight = _weight_on(regions[term.within], grid, space)
    return term.regulariser.loss(field, space, weight)


def _seen(part: Transform, grid: Space, displacement: bool) -> tuple[Field, Space]:
    """The vectors that are penalised, and the grid that carries them."""
    if isinstance(part, BSpline) and not displacement:
        return part.coefficients, part.space
    if isinstance(part, Flow):
        return part.displacement().field, part.space
    if isinstance(part, Velocity):
        return (part.displacement().field, part.space) if displacement else (part.field, part.space)
    if isinstance(part, Displacement):
        return part.field, part.space
    return part.displace(grid), grid


def _weight_on(region: Batch, grid: Space, space: Space) -> Float[Tensor, "*spatial"]:
    """A region on the grid of the vectors."""
    if space.shape != grid.shape:
        region = ops.sample(region, (grid.inverse @ space.matrix)[:-1], shape=space.shape)
    return region[0, 0]

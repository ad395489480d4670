"""B-spline: a free-form deformation of a grid of control points."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.space import Space
from pullback.transforms import BSpline as Spline
from pullback.transforms import Displacement, Transform
from pullback.typing import Field, Tensor

FITTED = 4
"""Places in each step of the control grid where a finer spline is fitted to a coarser one."""


@dataclass(frozen=True)
class BSpline(Parametrisation):
    """x -> x + u(x), u a cubic B-spline: smooth by its few numbers, so that quasi-Newton steps are cheap.

    Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999. Steps are added, not composed: nothing but a
    regulariser (`Bending`, which sees the coefficients) keeps it from folding. The numbers are the coefficients in mm;
    an initial deformation stays as it is, and the spline comes before it. Across a single slice nothing moves.

    Attributes:
        spacing_voxels: between control points, in voxels of the finest axis of the level, so that the control grid gets
            finer with the levels; thicker axes get the same distance in mm, or their own voxels.
        spacing_mm: the same in mm at every level, in place of `spacing_voxels`.
    """

    spacing_voxels: float = 5.0
    spacing_mm: float | None = None

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return "b-spline"

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return True

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        control = self._control(space)
        return Params(torch.zeros(space.dimension, *control.shape, device=device), space, initial)

    def fitted(self, displacement: Displacement, initial: Transform) -> Params:
        """The numbers of the spline that comes nearest to a displacement on a grid, with what comes after it."""
        space = displacement.space
        control = self._control(space)
        change = control.inverse @ space.matrix
        scale, offset = torch.diag(change)[:-1].tolist(), change[:-1, -1].tolist()
        values = ops.ffd_fit(displacement.field[None], control.shape, scale, offset)[0]
        return Params(values, space, initial)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        return params.initial @ self.spline(params)

    def spline(self, params: Params) -> Spline:
        """The update alone, without what it is relative to."""
        return Spline(params.values, self._control(params.space))

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`: by least squares, and exactly where the step between control points is halved."""
        old, new = self._control(params.space), self._control(space)
        values = _refitted(params.values, old, new)
        return replace(params, values=values, space=space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`: the gradient of coefficients is smooth as it is."""
        return within_plane(gradient, params.space)

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`; optimisers that scale each number by itself leave the plane, and are brought back."""
        return replace(params, values=params.values + scale * within_plane(step, params.space))

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: the largest motion of a control point, which is less than its coefficient."""
        d = step.ndim - 1
        return ops.largest(ops.ffd(step[None], step.shape[1:], [1.0] * d, [0.0] * d)[0])

    def _control(self, space: Space) -> Space:
        """The grid of control points: whole steps from the edge of the field of view, and one or two beyond each end.

        Every level has the same edge, so that the control points of a level with half the step are those of the last
        and as many between.
        """
        wanted = self.spacing_voxels * space.finest if self.spacing_mm is None else self.spacing_mm
        d, shape, change = space.dimension, [], torch.eye(space.dimension + 1, dtype=torch.float64)
        for axis, (n, mm) in enumerate(zip(space.shape, space.spacing, strict=True)):
            if n == 1:
                shape.append(1)
                continue
            step = max(1.0, wanted / mm)  # in voxels
            shape.append(math.ceil(n / step - 1e-6) + 3)
            change[axis, axis], change[axis, d] = step, -step - 0.5
        return Space(tuple(shape), space.matrix @ change)


def _refitted(values: Field, old: Space, new: Space) -> Field:
    """The spline on a control grid along the same axes that comes nearest to a spline."""
    d = new.dimension
    shape = tuple(1 if m == 1 else FITTED * (m - 3) + 1 for m in new.shape)
    scale = torch.full((d,), 1.0 / FITTED, dtype=torch.float64)
    start = torch.ones(d, dtype=torch.float64)
    change = old.inverse @ new.matrix
    steps = torch.diag(change)[:-1]
    dense = ops.ffd(values[None], shape, (steps * scale).tolist(), (steps * start + change[:-1, -1]).tolist())
    return ops.ffd_fit(dense, new.shape, scale.tolist(), start.tolist())[0]

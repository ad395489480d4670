"""Halved models of wide motions: splines, flows in time, and steps that are smooth in mm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback.optimise.parametrisation.bspline import BSpline
from pullback.optimise.parametrisation.halved import Halved
from pullback.optimise.parametrisation.parametrisation import Params
from pullback.optimise.parametrisation.smoothed import Smoothed
from pullback.optimise.parametrisation.time_varying import TimeVaryingVelocity
from pullback.space import Space
from pullback.transforms import Flow, Transform
from pullback.typing import Tensor


@dataclass(frozen=True)
class HalvedBSpline(Halved):
    """x - u(x) / 2 and x + u(x) / 2, u one spline: opposite coefficients are the images swapped.

    Attributes:
        model: how far its control points lie apart.
    """

    model: BSpline

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return False

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        to_fixed, to_moving = (
            self.model.spline(replace(params, values=share * params.values)) for share in (-0.5, 0.5)
        )
        return to_fixed, to_moving


@dataclass(frozen=True)
class HalvedTimeVarying(Halved):
    """The later half of the path, from the middle on, and the earlier half backwards: swapped images reverse it.

    Attributes:
        model: the whole path, of an even number of intervals.
    """

    model: TimeVaryingVelocity

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        n = self.model.intervals
        whole = Flow(params.values, params.space, self.model.squarings)
        return whole.part(0, n // 2).inverse(), whole.part(n // 2, n)

    def joined(self, forces: Tensor) -> Tensor:
        """See `Halved`: (2, n / 2, D, *shape) become (n, D, *shape)."""
        return torch.cat([-forces[0].flip(0), forces[1]]) / 2


@dataclass(frozen=True)
class HalvedSmoothed(Halved):
    """The halves of a dense model, with steps as smooth as said.

    Attributes:
        model: how smooth.
        inner: the halves of its model.
    """

    model: Smoothed
    inner: Halved

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return self.inner.name

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        return self.inner.halves(params)

    def joined(self, forces: Tensor) -> Tensor:
        """See `Halved`."""
        return self.inner.joined(forces)

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        return self.inner.start(space, initial, device)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        return self.inner.refine(params, space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`."""
        return self.model.half(self.inner.precondition(params, gradient), params.space)

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.inner.retract(params, self.model.half(step, params.space), scale)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`."""
        return self.inner.length(step)

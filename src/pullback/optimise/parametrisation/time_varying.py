"""TimeVaryingVelocity: velocity fields that follow one another, whose flow is the transform."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.optimise.parametrisation.widths import sigmas
from pullback.space import Space
from pullback.transforms import Displacement, Flow, Transform
from pullback.typing import Tensor


@dataclass(frozen=True)
class TimeVaryingVelocity(Parametrisation):
    """A flow along velocity fields v_1 ... v_n, one after another: it makes deformations that no single velocity makes.

    Beg et al., International Journal of Computer Vision 61(2), 2005; with steps that are smoothed and added, and
    velocities that may be smoothed too, as in `SVF`. What pulls where the flow sets out is carried along the path, so
    that each field goes down its own gradient (see `Flow.along`). With `Sobolev` as the regulariser the energy of the
    path is part of what is minimised. An initial deformation stays as it is, and the flow comes before it.

    Attributes:
        smooth_update_voxels: sigma of the Gaussian on each step, in voxels of the finest axis of the level.
        smooth_total_voxels: sigma of the Gaussian on the velocities after each step, likewise.
        intervals: how many fields follow one another, each for an equal part of the time.
        squarings: in each interval the flow is that of v / 2^n, composed with itself n times over.
    """

    smooth_update_voxels: float = 2.75
    smooth_total_voxels: float = 0.7
    intervals: int = 4
    squarings: int = 2

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return "time-varying velocity"

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return True

    @property
    def dense(self) -> bool:
        """See `Parametrisation`."""
        return True

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return True

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        nothing = torch.zeros(self.intervals, space.dimension, *space.shape, device=device)
        return Params(nothing, space, initial)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        return params.initial @ Flow(params.values, params.space, self.squarings)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        finer = [Displacement(values, params.space).displace(space) for values in params.values]
        return replace(params, values=torch.stack(finer), space=space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`; a single slice moves only within its plane."""
        if 1 in params.space.shape:
            gradient = torch.stack([within_plane(each, params.space) for each in gradient])
        return ops.smooth(gradient, sigmas(self.smooth_update_voxels, params.space))

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        values = params.values + scale * step
        if self.smooth_total_voxels > 0:
            values = ops.smooth(values, sigmas(self.smooth_total_voxels, params.space))
        return replace(params, values=values)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: the longest of each interval, one after the other; no path is longer."""
        return sum(ops.largest(each) for each in step) / len(step)

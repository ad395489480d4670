"""SVF: a stationary velocity field, whose flow is the transform."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.optimise.parametrisation.widths import sigmas
from pullback.space import Space
from pullback.transforms import Displacement, Transform, Velocity
from pullback.typing import Tensor


@dataclass(frozen=True)
class SVF(Parametrisation):
    """exp(v), the flow of one velocity field v for unit time: a diffeomorphism, with exp(-v) as its inverse.

    Arsigny et al., MICCAI 2006; steps are added to v and smoothed, as in log-domain demons (Vercauteren et al., MICCAI
    2008). They go down the gradient with respect to a small displacement before the transform, exp(v)(x + s(x)), which
    is exp(v + s) to first order (Baker, Campbell and Hausdorff). That costs less than to go back through the squarings,
    and finds larger motions. An initial deformation stays as it is, and the flow comes before it.

    Attributes:
        smooth_update_voxels: sigma of the Gaussian on each step, in voxels of the finest axis of the level.
        smooth_total_voxels: sigma of the Gaussian on the velocity after each step, likewise.
        squarings: exp(v) is exp(v / 2^n) composed with itself n times over.
    """

    smooth_update_voxels: float = 2.75
    smooth_total_voxels: float = 0.7
    squarings: int = 6

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return "stationary velocity"

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
        return Params(torch.zeros(space.dimension, *space.shape, device=device), space, initial)

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        return params.initial @ Velocity(params.values, params.space, self.squarings)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        return replace(params, values=Displacement(params.values, params.space).displace(space), space=space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`; a single slice moves only within its plane."""
        gradient = within_plane(gradient, params.space)
        return ops.smooth(gradient[None], sigmas(self.smooth_update_voxels, params.space))[0]

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        values = params.values + scale * step
        if self.smooth_total_voxels > 0:
            values = ops.smooth(values[None], sigmas(self.smooth_total_voxels, params.space))[0]
        return replace(params, values=values)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`."""
        return ops.largest(step)

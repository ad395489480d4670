"""Greedy diffeomorphic: a displacement field that grows by composing small smooth steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from pullback import ops
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.optimise.parametrisation.widths import sigmas
from pullback.optimise.schedule import level_shape
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform, split
from pullback.typing import Tensor


@dataclass(frozen=True)
class Greedy(Parametrisation):
    """A dense displacement u in mm; a step s makes it u(x + s(x)) + s(x), so that small smooth steps cannot fold it.

    The gradient is smoothed (the update is fluid), and the whole displacement may be smoothed too (elastic). Following
    Joshi & Miller, IEEE Transactions on Image Processing 9(8), 2000, and Yushkevich et al., Alzheimer's & Dementia
    12(7S), 2016.

    Attributes:
        smooth_update_voxels: sigma of the Gaussian on each step, in voxels of the finest axis of the level.
        smooth_total_voxels: sigma of the Gaussian on the displacement after each step, likewise.
        gradient_of: whose slope drives a step. Of the warped image, it is the exact gradient with respect to a step
            that is composed, and costs one pass less. Of the moving image where it is read, it does not fade where the
            displacement compresses: better where tissue contracts to a fraction of its size.
        spacing_voxels: distance of the vectors, in voxels of the finest axis of the level; between them the
            displacement is linear. Steps that are smooth over two voxels or more lose little with 2, and a volume has
            an eighth of the numbers. Groups and cines always have a vector at every voxel.
    """

    smooth_update_voxels: float = 1.7
    smooth_total_voxels: float = 0.7
    gradient_of: Literal["warped", "moving"] = "warped"
    spacing_voxels: float = 1.0

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return "deformable"

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
        return self.gradient_of == "warped"

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`: an initial deformation becomes the field to start from."""
        carrier = self._carrier(space)
        affine, field = split(initial, carrier)
        values = torch.zeros(space.dimension, *carrier.shape) if field is None else field.to(torch.float32)
        return Params(values.to(device), carrier, affine, space.finest)

    def _carrier(self, space: Space) -> Space:
        """The grid of the vectors for images on `space`."""
        if self.spacing_voxels <= 1:
            return space
        return space.resized(level_shape(space, self.spacing_voxels * space.finest))

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        affine = params.initial
        displacement = Displacement(params.values, params.space)
        return affine @ displacement if isinstance(affine, Affine) else displacement

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        carrier = self._carrier(space)
        values = Displacement(params.values, params.space).displace(carrier)
        return replace(params, values=values, space=carrier, unit_mm=space.finest)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`; a single slice moves only within its plane."""
        gradient = within_plane(gradient, params.space)
        return ops.smooth(gradient[None], sigmas(self.smooth_update_voxels, params.space, params.unit_mm))[0]

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.settled(self.stepped(params, step, scale))

    def stepped(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        mix = params.space.inverse[:-1, :-1]
        return replace(params, values=ops.compose(params.values[None], step[None], mix, scale)[0])

    def settled(self, params: Params) -> Params:
        """See `Parametrisation`."""
        if self.smooth_total_voxels <= 0:
            return params
        smooth = ops.smooth(params.values[None], sigmas(self.smooth_total_voxels, params.space, params.unit_mm))
        return replace(params, values=smooth[0])

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`."""
        return ops.largest(step)


def at_every_voxel(model: Parametrisation) -> Parametrisation:
    """The same model with a vector at every voxel of the level."""
    return replace(model, spacing_voxels=1.0) if isinstance(model, Greedy) else model

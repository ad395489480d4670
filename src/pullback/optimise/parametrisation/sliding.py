"""Sliding: a displacement that is smooth on either side of an organ's border, and may jump along it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.errors import InputError, RecipeError
from pullback.optimise.parametrisation.border import Border
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.optimise.parametrisation.widths import sigmas
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform
from pullback.typing import Batch, Tensor


@dataclass(frozen=True)
class Sliding(Parametrisation):
    """As `Greedy`, with two displacements: one of a region, and one of the rest, which slides along it.

    Each grows by composing small smooth steps. A step's part across the border is smoothed over the whole image, and so
    is common to both sides: nothing tears or overlaps. Its part along the border is smoothed within each side alone.
    Schmidt-Richberg, Werner, Handels and Ehrhardt, Medical Image Analysis 16(1), 2012, smooth so; two fields as in
    Risser et al., Medical Image Analysis 17(2), 2013, do not blur at the border when they are composed.

    Attributes:
        within: the name of the mask of the region, on the fixed image.
        smooth_update_voxels: sigma of the Gaussian on each step, in voxels of the finest axis of the level.
        smooth_total_voxels: sigma of the Gaussian on each displacement after each step, likewise.
        optional: whether to go on as `Greedy` where no such mask is given, instead of asking for it.
    """

    within: str = "organ"
    smooth_update_voxels: float = 2.75
    smooth_total_voxels: float = 0.5
    optional: bool = False

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return "deformable" if self.optional else "sliding"

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

    @property
    def masks(self) -> tuple[str, ...]:
        """See `Parametrisation`."""
        return (self.within,)

    @property
    def smooth_everywhere(self) -> Greedy:
        """The same where nothing slides."""
        return Greedy(self.smooth_update_voxels, self.smooth_total_voxels)

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        return self.smooth_everywhere.start(space, initial, device)

    def placed(self, params: Params, masks: Mapping[str, Batch]) -> Params:
        """See `Parametrisation`.

        Raises:
            InputError: there is no mask of that name, or it holds all or nothing of the grid.
        """
        if self.within not in masks:
            if self.optional:
                return params
            raise InputError(f"a sliding stage needs the mask {self.within!r} of what slides, and there is none; give "
                             f"masks={{{self.within!r}: (mask, None)}} (--mask {self.within}=MASK)")  # fmt: skip
        inside = masks[self.within]
        if not 0 < float(inside.mean()) < 1:
            what = "nothing" if float(inside.mean()) == 0 else "all"
            raise InputError(f"the mask {self.within!r} holds {what} of the fixed image, so nothing can slide along "
                             "its border; give the mask of an organ of the fixed image")  # fmt: skip
        two = params.values if _sides(params) else torch.stack([params.values] * 2)
        return replace(params, values=two, border=Border.of(inside, params.space, self.smooth_update_voxels))

    def build(self, params: Params) -> Transform:
        """See `Parametrisation`."""
        if params.border is None:
            return self.smooth_everywhere.build(params)
        displacement, affine = Displacement(params.border.mixed(params.values), params.space), params.initial
        return affine @ displacement if isinstance(affine, Affine) else displacement

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        if not _sides(params):
            return self.smooth_everywhere.refine(params, space)
        finer = [Displacement(values, params.space).displace(space) for values in params.values]
        return replace(params, values=torch.stack(finer), space=space, unit_mm=space.finest, border=None)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`; one step for each side. A single slice moves only within its plane."""
        if params.border is None:
            return self.smooth_everywhere.precondition(params, gradient)
        gradient = within_plane(gradient, params.space)
        return params.border.smoothed(gradient, sigmas(self.smooth_update_voxels, params.space))

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.settled(self.stepped(params, step, scale))

    def stepped(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        if not _sides(params):
            return self.smooth_everywhere.stepped(params, step, scale)
        mix = params.space.inverse[:-1, :-1]
        return replace(params, values=ops.compose(params.values, step, mix, scale))

    def settled(self, params: Params) -> Params:
        """See `Parametrisation`."""
        if not _sides(params) or self.smooth_total_voxels <= 0:
            return self.smooth_everywhere.settled(params)
        return replace(params, values=ops.smooth(params.values, sigmas(self.smooth_total_voxels, params.space)))

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: of the longer side."""
        one = step.ndim == len(step) + 1  # (D, *shape) has D axes of space; two sides of it have another one before
        return ops.largest(step) if one else max(ops.largest(side) for side in step)


def _sides(params: Params) -> bool:
    """Whether the values are two displacements and not one."""
    return params.values.ndim == params.space.dimension + 2


def without_masks(model: Parametrisation) -> Parametrisation:
    """The same model where no masks can be given by name.

    Raises:
        RecipeError: it cannot do without.
    """
    if not isinstance(model, Sliding):
        return model
    if not model.optional:
        raise RecipeError(f"a Sliding model needs the mask {model.within!r}, and groups take no masks by name; use "
                          "Greedy, or set optional")  # fmt: skip
    return model.smooth_everywhere

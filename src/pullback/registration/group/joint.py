"""Joint: the numbers of one parametrisation for each image of a group, with their mean held at nothing.

Without that, all images could move together, or shrink together, and the common space would be anywhere. The mean of
the updates is taken off the gradient and off what comes of each step (Balci et al., MICCAI 2007): for numbers that are
added that is exact, for composed fields up to the square of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from pullback.optimise import Parametrisation, Params
from pullback.optimise.parametrisation.greedy import at_every_voxel
from pullback.optimise.parametrisation.sliding import without_masks
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Tensor


@dataclass(frozen=True)
class Joint(Parametrisation):
    """A parametrisation whose values are those of all images, (T, ...); see `Parametrisation` for its methods.

    Attributes:
        model: of each image.
        initials: what each image's update comes before; of `Params.initial` nothing is taken.
    """

    model: Parametrisation
    initials: tuple[Transform, ...]

    @classmethod
    def begin(
        cls, model: Parametrisation, space: Space, initials: Sequence[Transform], device: str
    ) -> tuple[Joint, Params]:
        """The joint model, and the numbers that stand for the transforms known so far."""
        model = at_every_voxel(without_masks(model))
        each = [model.start(space, initial, device) for initial in initials]
        joint = cls(model, tuple(params.initial for params in each))
        return joint, Params(torch.stack([params.values for params in each]), space, each[0].initial)

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return self.model.name

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return self.model.local

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return self.model.composed

    def each(self, params: Params) -> list[Params]:
        """The numbers of each image by themselves."""
        pairs = zip(params.values.unbind(), self.initials, strict=True)
        return [Params(values, params.space, initial) for values, initial in pairs]

    def transforms(self, params: Params) -> list[Transform]:
        """Common world -> world of each image."""
        return [self.model.build(one) for one in self.each(params)]

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`; every image sets out from the same transform."""
        return Joint.begin(self.model, space, [initial] * len(self.initials), device)[1]

    def build(self, params: Params) -> Transform:
        """The first image's transform; `transforms` gives all."""
        return self.transforms(params)[0]

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        values = torch.stack([self.model.refine(one, space).values for one in self.each(params)])
        return replace(params, values=values, space=space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`."""
        pairs = zip(self.each(params), gradient.unbind(), strict=True)
        return _unbiased(torch.stack([self.model.precondition(one, part) for one, part in pairs]))

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        pairs = zip(self.each(params), step.unbind(), strict=True)
        stepped = [self.model.retract(one, part, scale).values for one, part in pairs]
        return replace(params, values=_unbiased(torch.stack(stepped)))

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: the longest of all images."""
        return max(self.model.length(part) for part in step.unbind())


def _unbiased(values: Tensor) -> Tensor:
    return values - values.mean(dim=0, keepdim=True)

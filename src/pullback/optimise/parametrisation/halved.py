"""Halved: the numbers of a model, read as two transforms that lead from the middle to either image."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

import torch

from pullback import ops
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.linear import Linear
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.plane import within_plane
from pullback.optimise.parametrisation.svf import SVF
from pullback.optimise.parametrisation.widths import sigmas
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Halfway, Transform, Velocity
from pullback.typing import Tensor


class Halved(Parametrisation):
    """A parametrisation of two halves on a grid in the middle; swapping the images negates or swaps its numbers.

    The initial transform of its `Params` must be a `Halfway`; the halves found come first in its own two. The numbers
    are those of the model that is halved, which starts, moves and refines them, unless a subclass knows better.
    """

    model: Parametrisation

    @abstractmethod
    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """(to_fixed, to_moving) from the middle, without the initial transform; differentiable in the values."""

    def joined(self, forces: Tensor) -> Tensor:
        """The gradient with respect to a step.

        Args:
            forces: (2, D, *shape), the gradients with respect to a small displacement before either half.
        """
        return forces

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return True

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return True

    @property
    def name(self) -> str:
        """See `Parametrisation`."""
        return f"symmetric {self.model.name}"

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        return self.model.start(space, initial, device)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        return self.model.refine(params, space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`."""
        return self.model.precondition(params, gradient)

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        return self.model.retract(params, step, scale)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`."""
        return self.model.length(step)

    def build(self, params: Params) -> Halfway:
        """See `Parametrisation`."""
        initial = params.initial
        assert isinstance(initial, Halfway)
        to_fixed, to_moving = self.halves(params)
        return Halfway(initial.to_fixed @ to_fixed, initial.to_moving @ to_moving, params.space)


@dataclass(frozen=True)
class HalvedGreedy(Halved):
    """Two displacements from the middle that grow by small smooth steps, of equal length and opposed.

    Avants et al., Medical Image Analysis 12(1), 2008; with opposed steps the middle cannot drift, and one smoothing
    serves both. The values are (2, D, *shape).

    Attributes:
        model: how wide the steps and the whole are smoothed.
    """

    model: Greedy

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        to_fixed, to_moving = (Displacement(values, params.space) for values in params.values)
        return to_fixed, to_moving

    def start(self, space: Space, initial: Transform, device: str) -> Params:
        """See `Parametrisation`."""
        return Params(torch.zeros(2, space.dimension, *space.shape, device=device), space, initial)

    def refine(self, params: Params, space: Space) -> Params:
        """See `Parametrisation`."""
        finer = [Displacement(values, params.space).displace(space) for values in params.values]
        return replace(params, values=torch.stack(finer), space=space)

    def precondition(self, params: Params, gradient: Tensor) -> Tensor:
        """See `Parametrisation`: what both forces agree on."""
        opposed = within_plane((gradient[1] - gradient[0]) / 2, params.space)
        smooth = ops.smooth(opposed[None], sigmas(self.model.smooth_update_voxels, params.space))
        return torch.cat([-smooth, smooth])

    def retract(self, params: Params, step: Tensor, scale: float = 1.0) -> Params:
        """See `Parametrisation`."""
        values = ops.compose(params.values, step, params.space.inverse[:-1, :-1], scale)
        if self.model.smooth_total_voxels > 0:
            values = ops.smooth(values, sigmas(self.model.smooth_total_voxels, params.space))
        return replace(params, values=values)

    def length(self, step: Tensor) -> float:
        """See `Parametrisation`: of the longer half."""
        return max(ops.largest(half) for half in step)


@dataclass(frozen=True)
class HalvedSVF(Halved):
    """exp(-v / 2) and exp(v / 2): the velocity's flow half the way, backwards and forwards.

    Attributes:
        model: how wide the steps and the velocity are smoothed.
    """

    model: SVF

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        flow = Velocity(params.values / 2, params.space, self.model.squarings)
        return flow.inverse(), flow

    def joined(self, forces: Tensor) -> Tensor:
        """See `Halved`."""
        return (forces[1] - forces[0]) / 2


@dataclass(frozen=True)
class HalvedLinear(Halved):
    """exp(-X / 2) and exp(X / 2) with the shift inside the exponential, so that opposite numbers are the inverse.

    X holds the generators of `Linear`, about the middle of the grid.

    Attributes:
        model: what may change.
    """

    model: Linear

    @property
    def local(self) -> bool:
        """See `Parametrisation`."""
        return False

    @property
    def composed(self) -> bool:
        """See `Parametrisation`."""
        return False

    def halves(self, params: Params) -> tuple[Transform, Transform]:
        """See `Halved`."""
        freedoms = self.model.freedoms(params.space)
        n = len(freedoms.generators)
        linear = torch.einsum("n,nij->ij", params.values[:n], freedoms.generators)
        shift = (params.values[n:] @ freedoms.shifts)[:, None]
        whole = torch.cat([torch.cat([linear, shift], dim=1), shift.new_zeros(1, len(shift) + 1)])
        there, back = Affine.translation(params.space.centre), Affine.translation(-params.space.centre)
        to_fixed, to_moving = (Affine(torch.linalg.matrix_exp(half * whole)) for half in (-0.5, 0.5))
        return there @ to_fixed @ back, there @ to_moving @ back

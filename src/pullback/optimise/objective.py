"""Objective: what an optimiser sees of the whole registration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from pullback.optimise.parametrisation import Parametrisation, Params
from pullback.typing import Tensor


@dataclass(frozen=True)
class Objective:
    """What an optimiser sees: numbers in, loss and preconditioned gradient out.

    Attributes:
        loss: params -> scalar tensor, differentiable in the values.
        model: what the numbers mean.
        loss_and_force: params -> the loss and its gradient with respect to a step, for models whose steps are composed
            (see `Parametrisation.composed`); None where the gradient with respect to the values is wanted.
        seen: told of every set of numbers and its loss.
        pulled: told of every gradient; nobody by default.
        curved: params -> the loss, its gradient and its Gauss-Newton curvature (n, n), where it is a sum of squares of
            a few numbers.
        whole: params -> the loss, the preconditioned gradient and its length, where they are found at once.
        redraw: k -> the loss at the k-th set of random places, where places are drawn.
    """

    loss: Callable[[Params], Tensor]
    model: Parametrisation
    loss_and_force: Callable[[Params], tuple[float, Tensor]] | None = None
    seen: Callable[[Params, float], None] = lambda params, loss: None
    pulled: Callable[[Tensor], None] | None = None
    curved: Callable[[Params], tuple[float, Tensor, Tensor]] | None = None
    whole: Callable[[Params], tuple[float, Tensor, float]] | None = None
    redraw: Callable[[int], Callable[[Params], Tensor]] | None = None

    def drawn(self, number: int) -> Objective:
        """The same objective at other random places; itself where there is nothing to draw."""
        return self if self.redraw is None else Objective(self.redraw(number), self.model)

    def value_gradient_curvature(self, params: Params) -> tuple[float, Tensor, Tensor]:
        """What `curved` gives, for objectives that have it."""
        assert self.curved is not None
        found = self.curved(params)
        self.seen(params, found[0])
        self._tell(found[1])
        return found

    def value_gradient_length(self, params: Params) -> tuple[float, Tensor, float]:
        """What `value_and_gradient` gives, and how far the gradient, taken as a step, moves voxels."""
        if self.whole is not None:
            found, gradient, length = self.whole(params)
            self.seen(params, found)
            return found, gradient, length
        found, gradient = self.value_and_gradient(params)
        return found, gradient, self.model.length(gradient)

    def value_and_gradient(self, params: Params) -> tuple[float, Tensor]:
        """The loss and its (preconditioned) gradient with respect to the values, or to a step that is composed."""
        if self.whole is not None:
            return self.value_gradient_length(params)[:2]
        if self.loss_and_force is not None:
            found, gradient = self.loss_and_force(params)
            self.seen(params, found)
            return found, self._tell(self.model.precondition(params, gradient))
        values = params.values.detach().requires_grad_()
        loss = self.loss(replace(params, values=values))
        (gradient,) = torch.autograd.grad(loss, values)
        found = float(loss.detach())
        self.seen(params, found)
        return found, self._tell(self.model.precondition(params, gradient))

    def _tell(self, gradient: Tensor) -> Tensor:
        if self.pulled is not None:
            self.pulled(gradient)
        return gradient

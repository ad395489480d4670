"""Fluid: many displacement fields on one grid at once, growing by smooth steps that are composed: `Greedy` for a batch.

Frames of a cine and images of a group are small and many. One call of a kernel for all of them costs little more than
one for each, and far less than a loop of registrations, whose time on small images goes into starting the calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch

from pullback import ops
from pullback.energy import Similarity
from pullback.errors import RecipeError
from pullback.optimise import GradientDescent, Greedy, Schedule
from pullback.optimise.minimise import WINDOW
from pullback.optimise.parametrisation.plane import within_plane
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise
from pullback.space import Space
from pullback.typing import Batch, Float, Int, Matrix, Tensor

Measure: TypeAlias = Callable[[Batch, Tensor, bool], tuple[Tensor, Batch | None]]
"""measure(fields, which, slope): losses (b,) of the fields of the items `which`, and the gradients if `slope`."""


@dataclass(frozen=True)
class Fluid:
    """How a batch of displacement fields steps.

    Attributes:
        model: how steps, and fields, are smoothed.
        space: the grid that carries the fields.
    """

    model: Greedy
    space: Space

    def smoothed(self, gradient: Batch) -> Batch:
        """Gradients (b, D, *shape) as directions of steps; a single slice moves only within its plane."""
        if 1 in self.space.shape:
            gradient = torch.stack([within_plane(field, self.space) for field in gradient])
        return ops.smooth(gradient, self._sigmas[0])

    def stepped(self, fields: Batch, step: Batch) -> Batch:
        """The fields after a step: u(x + s(x)) + s(x), smoothed a little."""
        fields = ops.compose(fields, step, self.mix)
        return fields if self.model.smooth_total_voxels == 0 else ops.smooth(fields, self._sigmas[1])

    def start(self, count: int, device: torch.device | str = "cpu") -> Batch:
        """So many fields that move nothing."""
        return torch.zeros(count, self.space.dimension, *self.space.shape, device=device)

    def onto(self, fields: Batch, space: Space) -> Batch:
        """The same fields on another grid."""
        if space.same_as(self.space):
            return fields
        return ops.sample(fields, (self.space.inverse @ space.matrix)[:-1], shape=space.shape)

    @cached_property
    def mix(self) -> Matrix:
        """(D, D), mm along the world axes -> voxels of the grid."""
        return self.space.inverse[:-1, :-1]

    @cached_property
    def _sigmas(self) -> tuple[list[float], list[float]]:
        """Of a step, and of a whole field, in voxels of each axis: the same reach in mm along all."""
        reach = [self.space.finest / s for s in self.space.spacing]
        model = self.model
        return [model.smooth_update_voxels * r for r in reach], [model.smooth_total_voxels * r for r in reach]


@dataclass(frozen=True)
class Dense:
    """What a batch takes from the dense stage of a recipe.

    Attributes:
        model: how steps, and fields, are smoothed.
        similarity: how images are compared.
        optimiser: how far steps go.
        schedule: at which resolutions, for how long.
    """

    model: Greedy
    similarity: Similarity
    optimiser: GradientDescent
    schedule: Schedule


def dense_part(recipe: Recipe, purpose: str) -> Dense:
    """The last dense stage of a recipe.

    Args:
        recipe: what was asked for.
        purpose: who wants it, for the message.

    Raises:
        RecipeError: the recipe has no such stage, or the stage holds what a batch cannot do.
    """
    for stage in reversed(recipe.stages):
        if isinstance(stage, Optimise) and isinstance(stage.model, Greedy):
            if not isinstance(stage.optimiser, GradientDescent) or stage.energy.regulariser is not None:
                raise RecipeError(f"{purpose} takes steps by GradientDescent, and its model smooths them: the dense "
                                  f"stage of {recipe.name!r} has another optimiser, or a regulariser")  # fmt: skip
            return Dense(stage.model, stage.energy.similarity, stage.optimiser, stage.schedule)
    raise RecipeError(f"{purpose} needs a recipe with a dense stage (model: Greedy), and {recipe.name!r} has none; "
                      'take "cine", "cardiac-sax" or "deformable"')  # fmt: skip


def comparing(
    fixed: Batch, moving: Batch, similarity: Similarity, fluid: Fluid, weight: Batch | None = None
) -> Measure:
    """How unlike each moving image is to the fixed one, all on the fluid's grid; beyond it their edges are repeated.

    Args:
        fixed: (1, c, *shape).
        moving: (b, c, *shape).
        similarity: fitted to the grid.
        fluid: whose slope drives a step, and where.
        weight: (1, 1, *shape), how much each fixed voxel counts.
    """
    d, mix = fluid.space.dimension, fluid.mix
    voxels = torch.eye(d, d + 1, dtype=torch.float64)

    def measure(fields: Batch, which: Tensor, slope: bool) -> tuple[Tensor, Batch | None]:
        images = moving if len(which) == len(moving) else moving[which]
        composed = fluid.model.composed
        with torch.enable_grad():
            fields = fields.detach().requires_grad_(slope and not composed)
            warped = ops.sample(images, voxels, fields, mix)
            if composed:
                warped = warped.detach().requires_grad_(slope)
            losses = similarity.loss(fixed, warped, weight)
            if not slope:
                return losses.detach(), None
            (gradient,) = torch.autograd.grad(losses.sum(), warped if composed else fields)
        force = ops.force(warped.detach(), gradient, mix) if composed else gradient
        return losses.detach(), force

    return measure


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a batch of descents ended.

    Attributes:
        fields: (b, D, *shape), the best of each item.
        losses: (b,), theirs.
        first: (b,), the losses where it began.
    """

    fields: Batch
    losses: Float[Tensor, " b"]
    first: Float[Tensor, " b"]


def descend(
    measure: Measure,
    fields: Batch,
    fluid: Fluid,
    optimiser: GradientDescent,
    *,
    steps: int,
    tolerance: float = 1e-4,
    watch: Callable[[int, float], None] = lambda step, loss: None,
) -> Descent:
    """Take up to `steps` steps for each item, by itself: `GradientDescent` and `minimise` for a batch.

    The length of an item's steps is halved when its loss rose; an item whose loss has stopped falling leaves the batch.

    Args:
        measure: losses and gradients of those items that are still moving.
        fields: (b, D, *shape), where to start.
        fluid: how fields step.
        optimiser: how far; its momentum is not used.
        steps: the most steps.
        tolerance: an item ends when its loss fell by less than this part of itself over the last ten steps.
        watch: called after every step with its number and the mean loss.
    """
    first_mm = optimiser.step_voxels * fluid.space.finest
    kept, now = fields.clone(), fields
    best = torch.full((len(fields),), math.inf, device=fields.device)
    pace, last = torch.full_like(best, first_mm), torch.full_like(best, math.inf)
    history: list[Tensor] = []
    which: Int[Tensor, " n"] = torch.arange(len(fields), device=fields.device)
    for count in range(steps + 1):
        losses, gradient = measure(now, which, count < steps)
        history.append(torch.full_like(best, math.inf).index_copy(0, which, losses))
        better = losses < best[which]
        kept[which[better]], best[which[better]] = now[better], losses[better]
        if gradient is None:
            break
        watch(count + 1, float(losses.mean()))
        pace = torch.where(losses > last, pace / 2, (pace * 1.05).clamp(max=first_mm))
        go = torch.isfinite(losses) & (pace >= optimiser.smallest * first_mm) & ~_flat(history, which, tolerance)
        if not bool(go.any()):
            break
        if not bool(go.all()):
            which, now, gradient, pace, losses = which[go], now[go], gradient[go], pace[go], losses[go]
        last = losses
        step = fluid.smoothed(gradient)
        now = fluid.stepped(now, step * (-pace / _lengths(step)).view(-1, *[1] * (step.ndim - 1)))
    return Descent(kept, best, history[0])


def _lengths(step: Batch) -> Float[Tensor, " b"]:
    """The longest vector of each field, never quite 0."""
    return torch.tensor([ops.largest(field) for field in step.unbind()]).to(step).clamp(min=1e-20)


def _flat(history: list[Tensor], which: Tensor, tolerance: float) -> Tensor:
    """Whether the best loss of an item's last few steps is hardly below the best before them."""
    if len(history) <= WINDOW:
        return torch.zeros_like(which, dtype=torch.bool)
    losses = torch.stack(history)[:, which]
    before, now = losses[:-WINDOW].amin(dim=0), losses[-WINDOW:].amin(dim=0)
    return before - now < tolerance * before.abs().clamp(min=1e-12)

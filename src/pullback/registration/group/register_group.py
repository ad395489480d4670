"""register_group: images into a common space that belongs to none of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy import Energy
from pullback.energy.felt import carried_along
from pullback.energy.regulariser import deformations, penalty
from pullback.energy.terms import MAIN, compares_points, flat
from pullback.errors import InputError, RecipeError
from pullback.evaluate.deformation import jacobian_map
from pullback.image import Image
from pullback.optimise import Level, Objective, Params, Status, minimise
from pullback.optimise.schedule import level_shape
from pullback.registration.check import check
from pullback.registration.further import similarities
from pullback.registration.group.cost import GroupCost
from pullback.registration.group.group import Group
from pullback.registration.group.joint import Joint
from pullback.registration.group.starts import begin
from pullback.registration.outcome import LevelHistory, Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.recipe import Recipe
from pullback.registration.stage import LITTLE_FINER, Optimise, Teller, level_work
from pullback.space import Space
from pullback.transforms import Transform
from pullback.transforms.apply import reading
from pullback.typing import Batch, Float, Tensor

MOST_FOLDING_PERCENT = 0.5


def register_group(
    images: Sequence[Image],
    recipe: Recipe,
    cost: GroupCost,
    *,
    space: Space | None = None,
    mask: Image | None = None,
    start: str = "headers",
    device: str = "cpu",
    watch: Watch = ignore,
) -> Group:
    """Bring images into the space in the middle of them, all at once.

    Args:
        images: at least two, of one dimension and one number of channels.
        recipe: its stages that optimise run, each with its model, optimiser, schedule and regulariser; in place of
            their similarity stands the cost. Other stages do not run.
        cost: how unlike the group is.
        space: the grid on which images are compared; the first image's by default.
        mask: how much each voxel of that grid counts.
        start: headers, centres or search: where each image sets out, see `starts`.
        device: where to compute.
        watch: called after every step.

    Raises:
        InputError: fewer than two images, or images that cannot be registered, or do not overlap.
        RecipeError: no stage of the recipe optimises anything.
    """
    stages = [stage for stage in recipe.stages if isinstance(stage, Optimise) and stage.suits(images[0].dimension)]
    _check(images, stages, recipe, mask, space)
    common = images[0].space if space is None else space
    prepared = [recipe.prepare.pair(images[0], image, None, None, device)[1] for image in images]
    weight = None if mask is None else Prepared(mask.data[:1].to(device, torch.float32)[None], common)
    transforms = begin(images, prepared, common, recipe, start, device)
    outcomes: list[Outcome] = []
    whole, done = sum(stage.work for stage in stages), 0.0
    for stage in stages:
        began, shares = time.perf_counter(), (done / whole, stage.work / whole)
        with ops.recorded() as kernels, ops.reused():
            run = _Run(stage, cost, prepared, common, weight, watch, shares)
            transforms, status, history = run.run(transforms)
        seconds = time.perf_counter() - began
        outcomes.append(Outcome(stage.name, transforms[0], status, history, seconds, dict(kernels)))
        done += stage.work
        if not status.ok:
            break
    status = _status(outcomes[-1].status, transforms, common)
    return Group(tuple(images), common, tuple(transforms), status, tuple(outcomes), recipe, cost)


def _check(
    images: Sequence[Image], stages: Sequence[Optimise], recipe: Recipe, mask: Image | None, space: Space | None
) -> None:
    if len(images) < 2:
        raise InputError(f"a group needs at least two images; got {len(images)}")
    for image in images:
        check(images[0], image, None, None, None)
    if space is not None and space.dimension != images[0].dimension:
        raise InputError(f"the common grid is {space.dimension}D but the images are {images[0].dimension}D")
    if mask is not None and not mask.space.same_as(images[0].space if space is None else space, 0.05):
        raise InputError(f"the mask lies on {mask.space!r}, not on the common grid; resample it onto that first")
    if not stages:
        raise RecipeError(f"the recipe {recipe.name!r} has no stage that optimises; a group needs at least one")
    if any(term.key != MAIN or compares_points(term.similarity) for s in similarities(recipe) for term in flat(s)):
        raise RecipeError(f"the recipe {recipe.name!r} compares points, or images or masks by name; a group compares "
                          "its images alone: leave those terms out")  # fmt: skip


def _status(status: Status, transforms: Sequence[Transform], space: Space) -> Status:
    if not status.ok:
        return status
    folds = [float((jacobian_map(t.displace(space), space) <= 0).float().mean()) for t in transforms]
    return Status.folded if 100 * max(folds) > MOST_FOLDING_PERCENT else status


@dataclass(frozen=True, eq=False)
class _Run:
    """One stage of a group."""

    stage: Optimise
    cost: GroupCost
    images: list[Prepared]
    common: Space
    weight: Prepared | None
    watch: Watch
    shares: tuple[float, float]

    def run(self, transforms: list[Transform]) -> tuple[list[Transform], Status, tuple[LevelHistory, ...]]:
        """From coarse to fine; transforms after it, how it ended, and its losses."""
        history: list[LevelHistory] = []
        joint: Joint | None = None
        params: Params | None = None
        status = Status.converged
        for number, level in enumerate(self.stage.schedule.levels, start=1):
            view = self._view(level, transforms)
            if joint is None or params is None:
                device = str(self.images[0].data.device)
                joint, params = Joint.begin(self.stage.model, view.space, transforms, device)
            else:
                params = joint.refine(params, view.space)
            solution = minimise(
                view.objective(joint), params, self.stage.optimiser, steps=level.steps, unit_mm=view.space.finest,
                tolerance=self.stage.schedule.tolerance, watch=self._told(number),
            )  # fmt: skip
            params, status = solution.params, solution.status
            transforms = joint.transforms(params)
            history.append(LevelHistory(view.space.spacing, solution.history))
            if not status.ok:
                break
        return transforms, status, tuple(history)

    def _view(self, level: Level, transforms: list[Transform]) -> _View:
        spacing = level.spacing_mm(self.common)
        space = self.common.resized(level_shape(self.common, spacing))
        images = [
            image.on_level(image.space.resized(level_shape(image.space, spacing, LITTLE_FINER)))
            for image in self.images
        ]
        weight = _weight(images, transforms, space)
        if self.weight is not None:
            weight = weight * ops.resize(self.weight.data, space.shape)
        if float(weight.sum()) < 1:
            raise InputError("the images of the group do not overlap in world space; check their headers")
        return _View(images, space, None if bool((weight == 1).all()) else weight, self.cost, self.stage.energy)

    def _told(self, number: int) -> Teller:
        """Whom to tell of the steps of a level."""
        levels, (begin, whole) = self.stage.schedule.levels, self.shares
        done, part = (
            sum(map(level_work, some)) / self.stage.work for some in (levels[: number - 1], levels[number - 1 : number])
        )
        return Teller(self.stage.name, self.stage.schedule, number, begin + whole * done, whole * part, self.watch)


def _weight(images: list[Prepared], transforms: list[Transform], space: Space) -> Batch:
    """1 where all images have voxels, as their transforms are known so far."""
    weight = torch.ones(1, 1, *space.shape, device=images[0].data.device)
    for image, transform in zip(images, transforms, strict=True):
        where = reading(transform, image.space, space)
        weight = weight * ops.inside(image.space.shape, *where, shape=space.shape, device=weight.device).to(weight)
    return weight


@dataclass(frozen=True, eq=False)
class _View:
    """The group at one resolution."""

    images: list[Prepared]
    space: Space
    weight: Batch | None
    cost: GroupCost
    energy: Energy

    def warped(self, transforms: list[Transform]) -> Batch:
        """All images in the common space, (T, c, *shape), beyond each its edge repeated."""
        return torch.cat([
            ops.sample(image.data, *reading(transform, image.space, self.space), shape=self.space.shape)
            for image, transform in zip(self.images, transforms, strict=True)
        ])  # fmt: skip

    def objective(self, joint: Joint) -> Objective:
        """What the optimiser sees."""

        def loss(params: Params) -> Float[Tensor, ""]:
            transforms = joint.transforms(params)
            return self.cost.loss(self.warped(transforms), self.weight) + self._penalty(transforms)

        def loss_and_force(params: Params) -> tuple[float, Tensor]:
            transforms = joint.transforms(params)
            with torch.no_grad():
                warped = self.warped(transforms)
            warped.requires_grad_()
            found = self.cost.loss(warped, self.weight)
            (gradient,) = torch.autograd.grad(found, warped)
            force = ops.force(warped.detach(), gradient, self.space.inverse[:-1, :-1])
            return float(found.detach()), torch.stack(
                [carried_along(t, f) for t, f in zip(transforms, force, strict=True)]
            )

        composed = joint.composed and self.energy.regulariser is None
        return Objective(loss, joint, loss_and_force if composed else None)

    def _penalty(self, transforms: list[Transform]) -> Float[Tensor, ""]:
        regulariser = self.energy.regulariser
        total = torch.zeros((), device=self.images[0].data.device)
        if regulariser is None:
            return total
        for transform in transforms:
            total = total + sum(penalty(regulariser, part, self.space) for part in deformations(transform))
        return self.energy.regulariser_weight * total / len(transforms)

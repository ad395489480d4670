"""register: check, prepare, then fold the recipe's stages."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch

from pullback import ops
from pullback.energy import Energy, NCC
from pullback.energy.energy import overlap
from pullback.evaluate import deformation
from pullback.optimise import Level, Status
from pullback.registration.check import check
from pullback.registration.outcome import Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.recipe import Recipe
from pullback.registration.registration import Quality, Registration
from pullback.registration.stage import Optimise, Stage, at_level
from pullback.image import Image
from pullback.transforms import Affine, Transform

MOST_FOLDING_PERCENT = 0.5
MANY_VOXELS = 1_000_000


def register(
    fixed: Image,
    moving: Image,
    recipe: Recipe,
    *,
    initial: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    device: str = "cpu",
    watch: Watch = ignore,
) -> Registration:
    """Find the transform that pulls the moving image back onto the fixed one.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        recipe: what to do.
        initial: fixed world -> moving world, as known so far; the identity (trust the headers) by default.
        fixed_mask: how much each fixed voxel counts, on the fixed grid.
        moving_mask: how much each moving voxel counts, on the moving grid.
        device: where to compute: cpu, cuda or mps.
        watch: called after every step.

    Returns:
        The result, also when it failed: see `Registration.ok` and `status`.

    Raises:
        InputError: the images cannot be registered at all, see `check`.
    """
    check(fixed, moving, initial, fixed_mask, moving_mask)
    start = Affine.identity(fixed.dimension) if initial is None else initial
    f = recipe.prepare.run(fixed, fixed_mask, device, "fixed")
    m = recipe.prepare.run(moving, moving_mask, device, "moving")
    outcomes: list[Outcome] = []
    transform: Transform = start
    whole = sum(stage.work for stage in recipe.stages)
    for stage in recipe.stages:
        before = sum(s.work for s in recipe.stages[: len(outcomes)])
        outcome = _timed(stage, f, m, transform, _scaled(watch, before, stage.work, whole))
        outcomes.append(outcome)
        transform = outcome.transform
        if not outcome.status.ok:
            break
    quality = _quality(f, m, start, transform, recipe)
    return Registration(fixed, moving, transform, _status(outcomes, quality), tuple(outcomes), quality, recipe)


def _timed(stage: Stage, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch) -> Outcome:
    began = time.perf_counter()
    with ops.recorded() as kernels:
        outcome = stage.run(fixed, moving, initial, watch)
    return replace(outcome, seconds=time.perf_counter() - began, kernels=dict(kernels))


def _scaled(watch: Watch, before: float, work: float, whole: float) -> Watch:
    """A watch that sees the share of the whole registration, not of the stage."""

    def tell(step: Step) -> None:
        watch(replace(step, share=(before + work * step.share) / max(whole, 1e-9)))

    return tell


def _quality(fixed: Prepared, moving: Prepared, start: Transform, transform: Transform, recipe: Recipe) -> Quality:
    last = next((s for s in reversed(recipe.stages) if isinstance(s, Optimise)), None)
    energy = Energy(NCC() if last is None else last.energy.similarity)
    pair = at_level(fixed, moving, Level(2.0 if fixed.space.count > MANY_VOXELS else 1.0, 1))
    with torch.no_grad():
        before, after = (float(energy.loss(pair, t)) for t in (start, transform))
        summary = deformation(transform, pair.fixed_space)
        return Quality(
            before,
            after,
            overlap(pair, transform),
            summary.jacobian_min,
            summary.jacobian_max,
            summary.fold_percent,
            summary.largest_mm,
        )


def _status(outcomes: list[Outcome], quality: Quality) -> Status:
    status = outcomes[-1].status
    if status.ok and quality.fold_percent > MOST_FOLDING_PERCENT:
        return Status.folded
    if status.ok and quality.loss_after > quality.loss_before + 1e-3 and quality.overlap > 0:
        return Status.diverged
    return status

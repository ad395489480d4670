"""register: check, prepare, then fold the recipe's stages."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import takewhile

import torch

from pullback import ops
from pullback.energy import NCC, Compared, Energy, Pair, Similarity
from pullback.energy.pair import overlap, shared
from pullback.energy.terms import keys
from pullback.evaluate.deformation import jacobian_map
from pullback.image import Image
from pullback.optimise import Level, Status
from pullback.registration.by_term import by_term
from pullback.registration.check import check
from pullback.registration.further import Further, check_further
from pullback.registration.in_common import seen_by_both, shared_information
from pullback.registration.outcome import Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.prepare_further import prepare_further
from pullback.registration.recipe import Recipe
from pullback.registration.registration import Quality, Registration
from pullback.registration.stage import LEAST_OVERLAP, Optimise, Stage, at_level
from pullback.registration.symmetric import Symmetric
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.transforms.on_device import on_device

MOST_FOLDING_PERCENT = 0.5
MANY_VOXELS = 1_000_000
LEAST_RISE = 1e-3
"""A loss must rise by more than this to count as a rise."""


def register(  # noqa: PLR0913 - the same as the front door
    fixed: Image,
    moving: Image,
    recipe: Recipe,
    *,
    initial: Transform | None = None,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    further: Further | None = None,
    device: str = "cpu",
    watch: Watch = ignore,
    begun: Registration | None = None,
) -> Registration:
    """Find the transform that pulls the moving image back onto the fixed one.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        recipe: what to do.
        initial: fixed world -> moving world, as known so far; the identity (trust the headers) by default.
        fixed_mask: how much each fixed voxel counts, on the fixed grid.
        moving_mask: how much each moving voxel counts, on the moving grid.
        further: images, masks and landmarks that terms of the recipe compare besides, by name.
        device: where to compute: cpu, cuda or mps.
        watch: called after every step.
        begun: what the same call found with another recipe: stages with which both begin are not run again.

    Returns:
        The result, also when it failed: see `Registration.ok` and `status`.

    Raises:
        InputError: the images cannot be registered at all, see `check`, or the recipe names what was not given.
    """
    further = Further() if further is None else further
    check(fixed, moving, initial, fixed_mask, moving_mask)
    recipe = recipe.suiting(fixed.dimension)
    check_further(recipe, further, fixed.dimension)
    start = Affine.identity(fixed.dimension) if initial is None else initial
    f, m = prepare_further(recipe, further, (fixed, moving), (fixed_mask, moving_mask), device)
    outcomes = _run(recipe, f, m, start, watch, _already(begun, recipe))
    transform = outcomes[-1].transform
    judge = _judge(recipe)
    similarity = NCC() if judge is None else judge.energy.similarity
    path = (start, *(outcome.transform for outcome in outcomes))
    pair = at_level(f, m, Level(1.0, 1) if judge is None else judge.schedule.levels[-1], keys(similarity))
    seen = judge.likeness(pair, transform) if isinstance(judge, Optimise) else Energy(similarity).on(pair)
    quality = _quality(pair, path, seen, fixed.space)
    if further.named:
        notes = by_term(similarity, pair, _first_meeting(pair, path), transform)
        outcomes[-1] = replace(outcomes[-1], notes=(*outcomes[-1].notes, *notes))
    status = _status(_ended(outcomes), quality, similarity)
    if status is Status.diverged and recipe.stages[len(outcomes) - 1].finishes:
        status = _status(_ended(outcomes), _unfinished(quality, seen, path), similarity)
    at_home = _at_home(outcomes, fixed, m.notes)
    told = shared_information(seen_by_both(fixed, moving, at_home[-1].transform, fixed_mask, moving_mask))
    quality = replace(quality, shared_information=told)
    return Registration(fixed, moving, at_home[-1].transform, status, at_home, quality, recipe)


def _run(
    recipe: Recipe, fixed: Prepared, moving: Prepared, start: Transform, watch: Watch, already: list[Outcome]
) -> list[Outcome]:
    """One stage after another, until one fails."""
    outcomes, whole = list(already), sum(stage.work for stage in recipe.stages)
    for stage in recipe.stages[len(already) :]:
        before = sum(s.work for s in recipe.stages[: len(outcomes)])
        transform = outcomes[-1].transform if outcomes else start
        outcomes.append(_timed(stage, fixed, moving, transform, _scaled(watch, before, stage.work, whole)))
        if not outcomes[-1].status.ok:
            break
    return outcomes


def _already(begun: Registration | None, recipe: Recipe) -> list[Outcome]:
    """What the stages found with which both recipes begin."""
    if begun is None or not begun.ok or begun.recipe.prepare != recipe.prepare:
        return []
    pairs = zip(begun.recipe.stages, recipe.stages, begun.outcomes, strict=False)
    return [outcome for _, _, outcome in takewhile(lambda one: one[0] == one[1], pairs)]


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


def _judge(recipe: Recipe) -> Optimise | Symmetric | None:
    """The last stage that minimises something: seen in another way, another transform might seem better."""
    return next((stage for stage in reversed(recipe.stages) if isinstance(stage, Optimise | Symmetric)), None)


def _quality(pair: Pair, path: tuple[Transform, ...], seen: Compared, space: Space) -> Quality:
    """Figures on the last of the transforms that the stages went through, and the loss where they set out."""
    transform = path[-1]
    fine = space if space.count <= MANY_VOXELS else pair.fixed_space
    with torch.no_grad(), ops.reused():
        before, after = (float(seen.loss(t)) for t in (_first_meeting(pair, path), transform))
    with torch.no_grad(), ops.reused():  # apart, so that the memory of the images that were warped is free again
        many = MANY_VOXELS if pair.fixed.device.type == "cpu" else fine.count  # a GPU waits for every part
        planes = max(1, many * fine.shape[0] // fine.count)
        starts = range(0, fine.shape[0], planes)
        parts = torch.tensor(
            [_of_planes(transform, fine, k, min(k + planes, fine.shape[0])) for k in starts], dtype=torch.float64
        )
    least, most, folded, farthest = parts.unbind(dim=1)
    return Quality(
        loss_before=before,
        loss_after=after,
        overlap=overlap(pair, transform),
        jacobian_min=float(least.min()),
        jacobian_max=float(most.max()),
        fold_percent=100 * float(folded.sum()) / fine.count,
        displacement_mm=float(farthest.max()),
    )


def _of_planes(transform: Transform, space: Space, first: int, last: int) -> tuple[float, float, int, float]:
    """Of a few planes of a grid, so that no field of the whole is made.

    Returns:
        The Jacobian determinant's least and greatest value, how often it folds, and the longest displacement.
    """
    low, high = max(first - 1, 0), min(last + 1, space.shape[0])
    cut = space.crop([low, *[0] * (space.dimension - 1)], [high, *space.shape[1:]])
    displacement = transform.displace(cut).to(torch.float32)
    volume = jacobian_map(displacement, cut)[first - low : last - low]
    return float(volume.min()), float(volume.max()), int((volume <= 0).sum()), ops.largest(displacement)


def _first_meeting(pair: Pair, path: tuple[Transform, ...]) -> Transform:
    """The first transform under which the images overlap: where they do not, there is no loss to compare with."""
    return next((t for t in path if shared(pair, t) >= LEAST_OVERLAP), path[-1])


def _at_home(outcomes: list[Outcome], fixed: Image, notes: tuple[str, ...]) -> tuple[Outcome, ...]:
    """With transforms on the device of the images that were given, and notes on their preparation before all others."""
    home = fixed.data.device
    first, *others = (replace(outcome, transform=on_device(outcome.transform, home)) for outcome in outcomes)
    return replace(first, notes=(*notes, *first.notes)), *others


def _unfinished(quality: Quality, seen: Compared, path: tuple[Transform, ...]) -> Quality:
    """With the loss where the last stage set out: a finishing one has a finer measure, and may raise this one a bit."""
    with torch.no_grad():
        return replace(quality, loss_after=float(seen.loss(path[-2])))


def _ended(outcomes: list[Outcome]) -> Status:
    """How the last stage ended that minimised something, or failed; others have nothing to say about it."""
    return next((o.status for o in reversed(outcomes) if o.history or not o.status.ok), outcomes[-1].status)


def _status(status: Status, quality: Quality, similarity: Similarity) -> Status:
    """How it ended, once the result has been looked at."""
    if not status.ok:
        return status
    if not math.isfinite(quality.loss_after):
        return Status.nonfinite
    if quality.fold_percent > MOST_FOLDING_PERCENT:
        return Status.folded
    if quality.loss_after > quality.loss_before + LEAST_RISE or quality.loss_after > similarity.unrelated:
        return Status.diverged
    return Status.converged if quality.loss_after >= quality.loss_before else status  # more steps would gain nothing

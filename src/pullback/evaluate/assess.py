"""Everything that can be said about a transform, from whatever is known of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

import torch

from pullback.errors import InputError, SpaceError
from pullback.evaluate.deformation import deformation, inverse_consistency
from pullback.evaluate.errors_mm import ErrorSummary, summarise
from pullback.evaluate.figures import Figure, Figures
from pullback.evaluate.label_figures import label_figures
from pullback.evaluate.likeness import likeness
from pullback.evaluate.measures import MEASURES
from pullback.evaluate.points import end_point_error, target_registration_error
from pullback.image import Image, Labels, Points
from pullback.space import Space
from pullback.transforms import Affine, Transform, resample_labels
from pullback.typing import Tensor

Pair: TypeAlias = tuple[Image, Image]
T = TypeVar("T")


def assess(  # noqa: PLR0913 - each is a kind of evidence, and all may be left out
    transform: Transform,
    onto: Space | Image,
    *,
    moving: Image | None = None,
    fixed_labels: Labels | None = None,
    moving_labels: Labels | None = None,
    fixed_points: Points | None = None,
    moving_points: Points | None = None,
    truth: Transform | None = None,
    backward: Transform | None = None,
    mask: Labels | Image | None = None,
    inverse: bool = False,
) -> Figures:
    """Every figure that what is given allows, before (with the identity) and after.

    Exact definitions: docs/methods/evaluate.md.

    Args:
        transform: fixed world -> moving world.
        onto: the fixed image, or its grid.
        moving: the moving image; with the fixed one, for similarities.
        fixed_labels: labels in the fixed world, on any grid: overlap and distances are measured on this grid.
        moving_labels: labels in the moving world, on any grid; pulled back by the nearest neighbour.
        fixed_points: landmarks in the fixed world, mm.
        moving_points: the same landmarks in the same order in the moving world.
        truth: the right transform, fixed world -> moving world, for the end-point error.
        backward: a transform moving world -> fixed world, found on its own, for inverse consistency.
        mask: the fixed voxels that count (above 0), on the fixed grid, for all figures but those of labels and points.
        inverse: without `backward`, measure the transform's own numerical inverse, which may take seconds.

    Raises:
        InputError: one of a pair without the other, or something that does not fit.

    Example:
        >>> from pullback.phantom import make
        >>> pair = make("pair")
        >>> found = assess(pair.truth, pair.fixed, fixed_labels=pair.fixed_labels, moving_labels=pair.moving_labels)
        >>> found["dice"] > 0.95, found["fold_percent"]
        (True, 0.0)
    """
    space = onto.space if isinstance(onto, Image) else onto
    counted = None if mask is None else _mask(mask, space)
    rows: list[Figure] = []
    notes: list[str] = []
    labels, points = _both(fixed_labels, moving_labels, "labels"), _both(fixed_points, moving_points, "points")
    if labels is not None:
        rows += _overlap(transform, *labels, notes)
    if points is not None:
        rows += _errors("tre", transform, lambda t: target_registration_error(t, *points))
        notes.append(f"TRE is of {len(points[0].world)} landmarks")
    if truth is not None:
        errors = _errors("epe", transform, lambda t: end_point_error(t, truth, space, counted))
        rows += [row for row in errors if row.measure in MEASURES]
    rows += _shape(transform, space, counted)
    if backward is not None or inverse:
        rows += _there_and_back(transform, backward, space, counted)
    if moving is not None and isinstance(onto, Image):
        rows += _likeness(transform, (onto, moving), counted)
    return Figures(tuple(rows), tuple(notes))


def _both(fixed: T | None, moving: T | None, what: str) -> tuple[T, T] | None:
    if fixed is not None and moving is not None:
        return fixed, moving
    if fixed is None and moving is None:
        return None
    given = "moving" if fixed is None else "fixed"
    raise InputError(f"only {given} {what} were given; give the fixed and the moving ones, or neither")


def _mask(mask: Labels | Image, space: Space) -> Tensor:
    if not mask.space.same_as(space):
        raise SpaceError(f"the mask must lie on the fixed grid, {space!r}; got {mask.space!r}")
    data = mask.data if isinstance(mask, Labels) else mask.data[0]
    return data > 0


def _overlap(transform: Transform, fixed: Labels, moving: Labels, notes: list[str]) -> list[Figure]:
    identity = Affine.identity(transform.dimension)
    warped, before = (resample_labels(moving, t, fixed.space) for t in (transform, identity))
    rows, missing = label_figures(fixed, warped, before)
    lost = sorted({*fixed.values} & {*moving.values} - {*warped.values})
    notes += _missing(fixed, moving, missing, lost)
    return [*rows, Figure("labels_lost", float(len(lost)))]


def _missing(fixed: Labels, moving: Labels, missing: list[int], lost: list[int]) -> Iterator[str]:
    sides = (("the fixed", moving, fixed), ("the moving", fixed, moving))
    for name, there, absent in sides:
        labels = [label for label in missing if label in there.values and label not in absent.values]
        if labels:
            yield f"{name} labels lack {_listed(labels)}: not in the means"
    if lost:
        yield f"the transform leaves no voxel of {_listed(lost)}: not in the means, though Dice is 0 there"
    if missing and len(missing) == len({*fixed.values, *moving.values}):
        yield "no label is in both; are the labels of one kind?"


def _listed(labels: list[int]) -> str:
    few = ", ".join(map(str, labels[:8]))
    return f"label{'s' * (len(labels) > 1)} {few}{' and more' * (len(labels) > 8)}"


def _errors(name: str, transform: Transform, errors: Callable[[Transform], Tensor]) -> list[Figure]:
    summaries = [summarise(errors(t)) for t in (transform, Affine.identity(transform.dimension))]
    after, before = (_parts(summary) for summary in summaries)
    return [Figure(f"{name}_{part}", after[part], before[part]) for part in after]


def _parts(summary: ErrorSummary) -> dict[str, float]:
    lengths = {"mean": summary.mean, "median": summary.median, "p95": summary.p95, "max": summary.largest}
    return {f"{part}_mm": mm for part, mm in lengths.items()} | {"within_2mm_percent": summary.within_2mm_percent}


def _shape(transform: Transform, space: Space, mask: Tensor | None) -> list[Figure]:
    found = deformation(transform, space, mask)
    keys = ("jacobian_min", "jacobian_max", "fold_percent", "ndv_percent", "sdlogj", "sdlogj_l2r")
    rows = [Figure(key, float(getattr(found, key))) for key in keys]
    lengths = (("displacement_mean_mm", found.mean_mm), ("displacement_max_mm", found.largest_mm))
    return rows + [Figure(key, mm) for key, mm in lengths]


def _there_and_back(
    transform: Transform, backward: Transform | None, space: Space, mask: Tensor | None
) -> list[Figure]:
    gap = inverse_consistency(transform, transform.inverse() if backward is None else backward, space)
    counted = (gap if mask is None else gap[mask.to(gap.device)]).to(torch.float64)
    return [Figure("inverse_mean_mm", float(counted.mean())), Figure("inverse_max_mm", float(counted.max()))]


def _likeness(transform: Transform, pair: Pair, mask: Tensor | None) -> list[Figure]:
    before, after = (likeness(*pair, t, mask) for t in (Affine.identity(transform.dimension), transform))
    keys = ("mse", "ncc", "lncc", "nmi", "overlap_percent")
    return [Figure(key, getattr(after, key), getattr(before, key)) for key in keys]

"""Data: what a report says, as plain values; everything that is drawn or written comes from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pullback.image import Image
from pullback.registration import Outcome, Registration, Remark
from pullback.registration.remarks import remarks
from pullback.report.curves import similarity_name
from pullback.report.key_figures import KeyFigure, key_figures, parts
from pullback.report.provenance import file_name, provenance_rows, without_folders

DIRECTION = "A transform maps fixed points to moving points; images go the other way by pull-back."
NOT_ACCURACY = "A low loss is not accuracy."


@dataclass(frozen=True)
class StageRow:
    """One stage of the registration.

    Attributes:
        stage: what ran, in words.
        compares: by what, in words; empty for stages that do not optimise.
        status: how it ended, in a word or two.
        message: how it ended, in a sentence.
        ok: whether that is good.
        seconds: wall time.
        levels: for each level its voxel size in mm, the steps taken there, and its first and best loss.
        notes: remarks of the stage.
        kernels: for each kind of kernel, the ops that it ran.
    """

    stage: str
    compares: str
    status: str
    message: str
    ok: bool
    seconds: float
    levels: tuple[tuple[float, int, float, float], ...]
    notes: tuple[str, ...]
    kernels: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class ImageRow:
    """One of the two images.

    Attributes:
        role: fixed or moving, and what that means.
        name: its file, without the folder; empty where it was given in memory.
        voxels: its shape, in data order.
        spacing_mm: likewise.
        extent_mm: the field of view, likewise.
    """

    role: Literal["fixed", "moving"]
    name: str
    voxels: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    extent_mm: tuple[float, ...]


@dataclass(frozen=True)
class ReportData:
    """Everything that a report says in words and numbers.

    Attributes:
        ok: whether the registration did what it set out to do.
        headline: how it ended, in a sentence.
        detail: why, and what to do, in another.
        recipe: its name and description.
        images: the fixed and the moving one.
        key_figures: numbers on the result.
        accuracy: numbers measured against labels, landmarks or a known warp; empty where there were none.
        stages: one for each stage that ran.
        remarks: what to look at twice, gravest first.
        provenance: names and values; without folders unless they were asked for.
        seconds: wall time of the registration.
    """

    ok: bool
    headline: str
    detail: str
    recipe: tuple[str, str]
    images: tuple[ImageRow, ImageRow]
    key_figures: tuple[KeyFigure, ...]
    accuracy: tuple[KeyFigure, ...]
    stages: tuple[StageRow, ...]
    remarks: tuple[Remark, ...]
    provenance: tuple[tuple[str, str], ...]
    seconds: float


def data(registration: Registration, *, accuracy: Sequence[KeyFigure] = (), show_folders: bool = False) -> ReportData:
    """What a report on a registration says.

    Args:
        registration: the result.
        accuracy: figures measured against labels, landmarks or a known warp, if there are any.
        show_folders: whether to name the folders of files; they often hold names of people and of hospitals.

    Example:
        >>> import pullback as pb
        >>> pair = pb.phantom.make("pair")
        >>> said = pb.report.data(pb.register(pair.fixed, pair.moving, "rigid"))
        >>> said.images[0].role, [stage.stage for stage in said.stages]
        ('fixed', ['align centres', 'search', 'rigid', 'rigid', 'rigid', 'settle'])
    """
    linear, deformation_mm = parts(registration.transform, registration.fixed.space)
    found = remarks(registration, deformation_mm)
    if not show_folders:
        found = tuple(replace(remark, text=without_folders(remark.text)) for remark in found)
    return ReportData(
        ok=registration.ok,
        headline=_headline(registration, found),
        detail=registration.message,
        recipe=(registration.recipe.name, registration.recipe.description),
        images=(_image_row("fixed", registration), _image_row("moving", registration)),
        key_figures=key_figures(registration, linear, deformation_mm),
        accuracy=tuple(accuracy),
        stages=tuple(_stage_row(registration, k, outcome) for k, outcome in enumerate(registration.outcomes)),
        remarks=found,
        provenance=provenance_rows(registration.provenance, show_folders),
        seconds=registration.seconds,
    )


def _headline(registration: Registration, found: tuple[Remark, ...]) -> str:
    if not registration.ok:
        return "The registration did not succeed. Do not use its result without looking."
    if any(remark.grave for remark in found):
        return "The registration ran to its end, but look at the warnings before you use it."
    return "The registration ran to its end, and its numbers look sound. Whether anatomy matches, the pictures tell."


def _image_row(role: Literal["fixed", "moving"], registration: Registration) -> ImageRow:
    image: Image = getattr(registration, role)
    space = image.space
    return ImageRow(role, file_name(registration.provenance.get(role)), space.shape, space.spacing, space.extent)


def _stage_row(registration: Registration, position: int, outcome: Outcome) -> StageRow:
    levels = tuple(
        (min(level.spacing_mm), len(level.losses), level.losses[0], min(level.losses))
        for level in outcome.history
        if level.losses
    )
    kernels: dict[str, tuple[str, ...]] = {}
    for op, kernel in sorted(outcome.kernels.items()):
        kernels[kernel] = (*kernels.get(kernel, ()), op)
    return StageRow(
        stage=outcome.stage,
        compares=similarity_name(registration, position),
        status=outcome.status.name.replace("_", " "),
        message=outcome.status.value,
        ok=outcome.status.ok,
        seconds=outcome.seconds,
        levels=levels,
        notes=outcome.notes,
        kernels=tuple(kernels.items()),
    )

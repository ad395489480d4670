"""Remarks: what a careful colleague would point at before a result is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pullback.registration import Registration
from pullback.registration.registration import Quality
from pullback.report.key_figures import TAME_VOLUME, gain_percent, number
from pullback.report.planes import has_orientation
from pullback.report.provenance import without_folders
from pullback.space import Space

LOW_OVERLAP, LEAST_OVERLAP = 0.7, 0.3
LEAST_GAIN_PERCENT = 1.0
IDENTICAL = 1e-3
"""Images whose loss is below this before registration are as good as identical: there is nothing to gain."""
FAR_SHARE, FAR_DEFORMATION_SHARE = 0.5, 0.15
"""Parts of the field of view; farther displacements and deformations are seldom right."""
MOST_FOLDING_PERCENT = 0.5
ANISOTROPIC = 3.0
FEW_SLICES = 5


@dataclass(frozen=True)
class Remark:
    """Something to know about a result.

    Attributes:
        grave: whether the result should not be used before this has been looked at.
        title: what, in a few words.
        text: what it means, and what to do.
    """

    grave: bool
    title: str
    text: str


def remarks(registration: Registration, deformation_mm: float | None, show_folders: bool = False) -> tuple[Remark, ...]:
    """Everything worth a remark, gravest first.

    Args:
        registration: the result.
        deformation_mm: the farthest that anything is bent; None for a linear transform.
        show_folders: whether to name the folders of files.
    """
    found = [
        *_on_stages(registration),
        *_on_headers(registration, show_folders),
        *_on_quality(registration),
        *_on_distances(registration, deformation_mm),
        *_on_grids(registration),
    ]
    return tuple(sorted(found, key=lambda remark: not remark.grave))


def _on_stages(registration: Registration) -> Iterator[Remark]:
    skipped = len(registration.recipe.stages) - len(registration.outcomes)
    if skipped > 0:
        last = registration.outcomes[-1].stage if registration.outcomes else "the start"
        yield Remark(
            True,
            "Stages did not run",
            f"It stopped after {last}; {skipped} of {len(registration.recipe.stages)} stages did not run.",
        )


def _on_headers(registration: Registration, show_folders: bool) -> Iterator[Remark]:
    told = registration.provenance.get("warnings", ())
    for text in [told] if isinstance(told, str) else told:
        yield Remark(True, "Doubtful input", str(text) if show_folders else without_folders(str(text)))


def _on_quality(registration: Registration) -> Iterator[Remark]:
    quality = registration.quality
    if quality is None:
        return
    yield from _on_folding(quality)
    if quality.overlap < LOW_OVERLAP:
        yield Remark(
            quality.overlap < LEAST_OVERLAP,
            "Low overlap",
            f"Only {100 * quality.overlap:.0f} % of the fixed image shows something of the moving image. The rest did "
            "not take part; the transform is a guess there.",
        )
    gain = gain_percent(quality)
    if gain < LEAST_GAIN_PERCENT and quality.loss_before > IDENTICAL:
        yield Remark(
            True,
            "Hardly a gain",
            f"The loss fell by {gain:.2g} % only. Either the images were aligned before, or the registration did not "
            "find its way: if contrasts differ, try the multimodal recipe; if the images lie far apart, give an "
            "initial transform.",
        )


def _on_folding(quality: Quality) -> Iterator[Remark]:
    least, most = TAME_VOLUME
    if quality.fold_percent > 0:
        yield Remark(
            quality.fold_percent > MOST_FOLDING_PERCENT,
            "Folding",
            f"The deformation folds in {number(quality.fold_percent)} % of the voxels (pink in the map of volume "
            "change): several points land on one, and no inverse exists there. Smooth more strongly, or use "
            "fewer fine levels.",
        )
    elif quality.jacobian_min < least or quality.jacobian_max > most:
        yield Remark(
            True,
            "Strong local volume change",
            f"Volume changes locally by factors from {number(quality.jacobian_min)} to {number(quality.jacobian_max)}. "
            "Hearts contract, but tissue seldom changes that much; see the map of volume change for where it does.",
        )


def _on_distances(registration: Registration, deformation_mm: float | None) -> Iterator[Remark]:
    view = max(registration.fixed.space.extent)
    if deformation_mm is not None and deformation_mm > FAR_DEFORMATION_SHARE * view:
        yield Remark(
            True,
            "Huge deformation",
            f"Tissue is bent by up to {number(deformation_mm)} mm, more than {100 * FAR_DEFORMATION_SHARE:.0f} % of "
            f"the field of view ({number(view)} mm).",
        )
    farthest = 0.0 if registration.quality is None else registration.quality.displacement_mm
    if farthest > FAR_SHARE * view:
        yield Remark(
            False,
            "Huge displacement",
            f"Points are pulled from up to {number(farthest)} mm away, more than half the field of view "
            f"({number(view)} mm). That is right if the headers place the images far apart, and wrong otherwise.",
        )


def _on_grids(registration: Registration) -> Iterator[Remark]:
    fixed, moving = (tuple(_on_slices(image.space)) for image in (registration.fixed, registration.moving))
    told = (("both images", fixed),) if fixed == moving else (("fixed image", fixed), ("moving image", moving))
    for whose, found in told:
        for remark in found:
            yield replace(remark, title=f"{remark.title} ({whose})")
    if not has_orientation(registration.fixed.space):
        yield Remark(
            False,
            "Orientation unknown",
            "The fixed image does not seem to know how the patient lies: its axes are the world's, and "
            f"{_at_origin(registration.fixed.space)} lies exactly at the origin. So the pictures do not mark the "
            "patient's sides.",
        )


def _on_slices(space: Space) -> Iterator[Remark]:
    if space.dimension == 3 and min(space.shape) > 1 and max(space.spacing) > ANISOTROPIC * space.finest:
        yield Remark(
            False,
            "Thick slices",
            f"Slices are {number(max(space.spacing))} mm apart, pixels {number(space.finest)} mm. Motion across the "
            "slices is hardly seen in such images; trust the numbers in the plane more than those across it.",
        )
    if space.dimension == 3 and 1 < min(space.shape) < FEW_SLICES:
        yield Remark(
            False,
            "Few slices",
            f"There are only {min(space.shape)} slices; tissue that moves out of them cannot be followed.",
        )


def _at_origin(space: Space) -> str:
    return "its first voxel" if float(space.matrix[:-1, -1].abs().max()) < 1e-3 else "its middle"

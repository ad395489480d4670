"""Remarks: what a careful colleague would point at before a result is used."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from pullback.optimise import Linear
from pullback.registration.registration import Quality, Registration, Remark
from pullback.registration.stage import Optimise
from pullback.registration.symmetric import Symmetric
from pullback.space import Space
from pullback.transforms import Affine, Composite, Halfway, Transform, split
from pullback.transforms.composite import chain

LOW_OVERLAP, LEAST_OVERLAP = 0.7, 0.3
LEAST_GAIN_PERCENT = 1.0
IDENTICAL = 1e-3
"""Images whose loss is below this before registration are as good as identical: there is nothing to gain."""
FAR_SHARE, FAR_DEFORMATION_SHARE = 0.5, 0.15
"""Parts of the field of view; farther displacements and deformations are seldom right."""
MOST_FOLDING_PERCENT = 0.5
LOOK_VOXELS = 48
"""Along each axis at most, of the grid on which a deformation is looked up."""
TAME_VOLUME = (0.1, 8.0)
"""Local volume changes within these factors are nothing to wonder at."""
TAME_SCALE = (0.7, 1.43)
"""Likewise lengths, of all that is seen: two grown-ups differ less."""
RESIZING = ("similarity", "scaling")
"""Freedoms that are chosen for images whose scale is not known."""
ANISOTROPIC = 3.0
LITTLE_SHARED = 0.1
"""A part of what two images tell. Cine and T2 or late enhancement nearly all share less: rigid poses were off by 1 to 8
mm at the picture's corners. T1 and T2 of a head share 0.17 to 0.19, and are off by 0.1 mm (docs/how_to/trust.md)."""
DOUBTFUL_INPUT = "Doubtful input"
"""Title of what was noticed when files were read."""
FEW_SLICES = 5


def remarks(registration: Registration, deformation_mm: float | None = None) -> tuple[Remark, ...]:
    """Everything worth a remark, gravest first.

    Args:
        registration: the result.
        deformation_mm: the farthest that anything is bent; looked up on a coarse grid where it is not given.
    """
    deformation_mm = _bent_mm(registration) if deformation_mm is None else deformation_mm
    found = [
        *_on_stages(registration),
        *_on_headers(registration),
        *_on_quality(registration),
        *_on_sharing(registration),
        *_on_scale(registration),
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


def _on_headers(registration: Registration) -> Iterator[Remark]:
    told = registration.provenance.get("warnings", ())
    for text in [told] if isinstance(told, str) else told:
        yield Remark(True, DOUBTFUL_INPUT, str(text))


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
    gain = quality.gain_percent
    if gain < LEAST_GAIN_PERCENT and quality.loss_before > IDENTICAL:
        yield Remark(
            True,
            "Hardly a gain",
            f"The loss fell by {gain:.2g} % only. Either the images were aligned before, or the registration did not "
            "find its way: if contrasts differ, try the multimodal recipe; if the images lie far apart, give an "
            "initial transform.",
        )


def _on_sharing(registration: Registration) -> Iterator[Remark]:
    shared = math.nan if registration.quality is None else registration.quality.shared_information
    if not shared < LITTLE_SHARED:
        return
    yield Remark(
        isinstance(registration.transform, Affine),  # nothing mends a pose later on
        "Little in common",
        f"Where there is tissue, either image as they lie now tells {number(100 * shared)} % of what the other one "
        "tells; T1 and T2 of a head 18 %, two phases of a heart 40 to 70 %. If they show the same place in two "
        "contrasts, expect an error of some millimetres rather than of tenths, and look at edges in the report's "
        "pictures. Else they do not lie on each other.",
    )


def _on_folding(quality: Quality) -> Iterator[Remark]:
    least, most = TAME_VOLUME
    if quality.fold_percent > 0:
        yield Remark(
            quality.fold_percent > MOST_FOLDING_PERCENT,
            "Folding",
            f"The deformation folds in {number(quality.fold_percent)} % of the voxels (pink in the report's map of "
            "volume change): several points land on one, and no inverse exists there. Smooth more strongly, or use "
            "fewer fine levels.",
        )
    elif quality.jacobian_min < least or quality.jacobian_max > most:
        yield Remark(
            False,  # a single voxel is enough
            "Strong local volume change",
            f"Volume changes locally by factors from {number(quality.jacobian_min)} to {number(quality.jacobian_max)}. "
            "Hearts contract, but tissue seldom changes that much; the report's map shows where it does.",
        )


def _on_scale(registration: Registration) -> Iterator[Remark]:
    models = (stage.model for stage in registration.recipe.stages if isinstance(stage, Optimise | Symmetric))
    if any(isinstance(model, Linear) and model.freedom in RESIZING for model in models):
        return
    volume = _volume(registration.transform)
    scale = abs(volume) ** (1 / max(1, sum(n > 1 for n in registration.fixed.space.shape)))
    least, most = TAME_SCALE
    if volume <= 0:
        yield Remark(True, "Mirrored", "The matrix turns the image into its mirror image; anatomy is not.")
    elif not least <= scale <= most:
        yield Remark(
            True,
            "Everything changes its size",
            f"What is seen in the fixed image is {number(scale)} times as long in the moving one, in all directions on "
            "average. Grown-ups differ less: the measure may have preferred a small, even piece to the whole. "
            "Try the rigid recipe, or check the voxel sizes in the headers.",
        )


def _volume(transform: Transform) -> float:
    """The factor by which the matrices of a transform change volumes."""
    whole = chain(transform)
    parts = whole.parts if isinstance(whole, Composite) else (whole,)
    if isinstance(parts[0], Halfway):
        return _volume(parts[0].to_moving) / _volume(parts[0].to_fixed)
    return math.prod(float(torch.linalg.det(part.linear)) for part in parts if isinstance(part, Affine))


def _bent_mm(registration: Registration) -> float | None:
    """About how far the transform moves anything beside its matrix; None for a matrix alone."""
    space = registration.fixed.space
    _, field = split(registration.transform, space.resized([min(n, LOOK_VOXELS) for n in space.shape]))
    return None if field is None else float(field.norm(dim=0).max())


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
    if not registration.fixed.space.has_orientation:
        yield Remark(
            False,
            "Orientation unknown",
            "The fixed image does not seem to know how the patient lies: its axes are the world's, and "
            f"{_at_origin(registration.fixed.space)} the origin. So the report's pictures do not "
            "mark the patient's sides.",
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
    if float(space.centre.abs().max()) < 1e-3:
        return "its middle lies exactly at"
    at_first = float(space.matrix[:-1, -1].abs().max()) < 1e-3
    return f"its first voxel lies exactly {'at' if at_first else 'one voxel from'}"


def number(value: float, digits: int = 2) -> str:
    """A number with a few digits, never in powers of ten unless it has to be.

    Example:
        >>> number(13.651), number(0.0231), number(0.0), number(1234.5)
        ('13.7', '0.023', '0', '1234')
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.{3 if abs(value) >= 1 else digits}g}"

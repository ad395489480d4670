"""A list of records, as every ITK file holds it, as one Transform and back.

A CompositeTransform record has no parameters; the records after it are its parts, in an order in which the last is
applied first, as in `Composite.parts`.
"""

import numpy as np

from pullback.errors import FileFormatError, InputError
from pullback.io.transforms.itk_bspline import fits_itk
from pullback.io.transforms.itk_types import Record, from_affine, from_bspline, from_displacement, to_transform
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Composite, Displacement, Flow, Inverse, Transform, Velocity, split
from pullback.transforms.composite import chain


def from_records(records: list[Record]) -> Transform:
    """One Transform out of all the records of a file.

    Raises:
        FileFormatError: there are none, or one cannot be understood.
    """
    if not records:
        raise FileFormatError("it holds no transform")
    composite = records[0].name == "CompositeTransform"
    parts = [to_transform(r) for r in (records[1:] if composite else records) if r.name != "CompositeTransform"]
    if not parts:
        return Affine.identity(records[0].dimension)
    if len(parts) > 1 and not composite:
        raise FileFormatError(
            f"it lists {len(parts)} transforms without saying how they follow each other (no composite)"
        )
    return chain(*parts)


def to_records(transform: Transform, onto: Space | None) -> list[Record]:
    """The records of a file that means the same.

    Args:
        transform: any.
        onto: the grid on which the parts without a formula are sampled. With it, the transform becomes at most one
            matrix after one field on exactly this grid, or after a B-spline that covers it, so that ITK (which ends a
            field at its border) and pullback (which repeats the border) agree on every voxel of it.

    Raises:
        InputError: a part has no formula in ITK's files, and no grid was given.
    """
    parts = transform.parts if isinstance(transform, Composite) else (transform,)
    if onto is not None and not _written_as_it_is(parts, onto):
        *later, first = parts
        if isinstance(first, Displacement) and all(isinstance(part, Affine) for part in later):
            return _composite([*map(_record, later), from_displacement(first, onto)], transform.dimension)
        affine, field = split(transform, onto)
        whole = affine if field is None else chain(affine, Displacement(field.detach().float(), onto))
        parts = whole.parts if isinstance(whole, Composite) else (whole,)
    return _composite([_record(part) for part in parts], transform.dimension)


def _composite(records: list[Record], dimension: int) -> list[Record]:
    """A single record as it is; several after one that says that they follow each other."""
    if len(records) == 1:
        return records
    nothing = np.zeros(0)
    return [Record(f"CompositeTransform_double_{dimension}_{dimension}", nothing, nothing), *records]


def _written_as_it_is(parts: tuple[Transform, ...], onto: Space) -> bool:
    """Matrices, and at most one field that lies on the grid, or one spline that covers it, which comes first."""
    *later, first = parts
    on_grid = isinstance(first, Affine) or (isinstance(first, Displacement) and first.space.same_as(onto))
    on_grid = on_grid or (isinstance(first, BSpline) and fits_itk(first, onto))
    return on_grid and all(isinstance(part, Affine) for part in later)


def _record(part: Transform) -> Record:
    if isinstance(part, Affine):
        return from_affine(part)
    if isinstance(part, Displacement):
        return from_displacement(part)
    if isinstance(part, BSpline) and fits_itk(part, None):
        return from_bspline(part)
    if isinstance(part, Velocity | Flow):
        return from_displacement(part.displacement())
    kind = "inverse of a displacement" if isinstance(part, Inverse) else type(part).__name__
    raise InputError(f"the {kind} has no formula in ITK's files; pass onto=, the grid on which it shall be sampled")

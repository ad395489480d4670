"""Overlap and surface distances of two label maps, for each label and on average."""

from __future__ import annotations

import math

from pullback.evaluate.figures import Figure, Figures, mean_known
from pullback.evaluate.measures import MEAN
from pullback.evaluate.overlap import dice, jaccard
from pullback.evaluate.surface import surface_distances
from pullback.image import Labels

Measured = dict[str, dict[int, float]]


def compare_labels(fixed: Labels, warped: Labels) -> Figures:
    """Dice, Jaccard, HD, HD95 and ASSD of two label maps on one grid, for each label and on average.

    Args:
        fixed: the labels to compare with.
        warped: the labels to judge.

    Returns:
        Figures; those of a label that one of the maps lacks are NaN, and it is not in the means.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> import torch
        >>> square = torch.zeros(8, 8, dtype=torch.int16)
        >>> square[2:5, 2:5] = 1
        >>> found = compare_labels(Labels.of(square), Labels.of(square.roll(1, dims=0)))
        >>> round(found["dice"], 3), found["hd95_mm"]
        (0.667, 1.0)
    """
    rows, missing = label_figures(fixed, warped)
    notes = [
        f"label {label} is only in the {'first' if label in fixed.values else 'second'} map: not in the means"
        for label in missing
    ]
    return Figures(tuple(rows), tuple(notes))


def label_figures(fixed: Labels, warped: Labels, before: Labels | None = None) -> tuple[list[Figure], list[int]]:
    """The figures, measure by measure with the mean last, and the labels that one of fixed and warped lacks."""
    after = _measured(fixed, warped)
    earlier = None if before is None else _measured(fixed, before)
    labels = list(after["dice"])
    rows = []
    for measure, values in after.items():
        old = {} if earlier is None else earlier[measure]
        for label in labels:
            rows.append(Figure(measure, values[label], old.get(label, math.nan) if earlier else None, str(label)))
        rows.append(Figure(measure, mean_known(values.values()), mean_known(old.values()) if earlier else None, MEAN))
    return rows, [label for label in labels if math.isnan(after["dice"][label])]


def _measured(fixed: Labels, warped: Labels) -> Measured:
    found = surface_distances(fixed, warped)
    distances: Measured = {"hd_mm": {}, "hd95_mm": {}, "assd_mm": {}}
    for label, between in found.items():
        distances["hd_mm"][label] = math.nan if between is None else between.hausdorff()
        distances["hd95_mm"][label] = math.nan if between is None else between.hausdorff(95.0)
        distances["assd_mm"][label] = math.nan if between is None else between.mean
    return {"dice": dice(fixed, warped), "jaccard": jaccard(fixed, warped)} | distances

"""Judge what a tool wrote for one case: rows of the accuracy table, all by the same code.

The tool's vectors at the fixed voxels are the transform. Measures are those of `pullback evaluate`, which the tests
hold against SimpleITK, scipy and second formulas; before is with the headers as they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from case_files import Case
from score import read_vectors

from pullback import evaluate
from pullback.evaluate import Figures
from pullback.evaluate.figures import mean_known
from pullback.image import Labels, Points
from pullback.transforms import Affine, Displacement, Transform

COLUMNS = (
    "date", "commit", "machine", "set", "case", "method", "version", "recipe", "threads", "status", "seconds", "label",
    "name", "dice", "dice_before", "hd95_mm", "hd95_before_mm", "labels_lost", "tre_mm", "tre_before_mm", "epe_mm",
    "epe_before_mm", "corner_mm", "fold_percent", "ndv_percent", "ncc", "ncc_before", "lncc",
)  # fmt: skip
Row = dict[str, str | float]
WHOLE = "mean"


def rows(case: Case, transform: Transform, names: Mapping[str, str]) -> Iterator[Row]:
    """A row for each label and one for the whole case."""
    whole: Row = {"label": WHOLE, "name": ""}
    found = evaluate.assess(transform, case.fixed, moving=case.moving, truth=case.truth, mask=_mask(case))
    for key, figure in (("fold_percent", "fold_percent"), ("ndv_percent", "ndv_percent"), ("lncc", "lncc")):
        whole[key] = found[figure]
    whole |= {"ncc": found["ncc"], "ncc_before": _before(found, "ncc")}
    if case.truth is not None:
        whole |= {"epe_mm": found["epe_mean_mm"], "epe_before_mm": _before(found, "epe_mean_mm")}
        whole["corner_mm"] = corner_error(transform, case)
    if len(case.labels) == 1:
        yield from _one_map(case, transform, names, whole)
    elif case.labels:
        yield from _overlapping_maps(case, transform, names, whole)
    yield whole


def _one_map(case: Case, transform: Transform, names: Mapping[str, str], whole: Row) -> Iterator[Row]:
    fixed, moving = case.labels[0]
    found = _labels(transform, fixed, moving)
    each = {label: _overlap(found, label) for label in map(str, sorted({*fixed.values} & {*moving.values}))}
    for label, own in each.items():
        yield {"label": label, "name": names.get(label, ""), **own}
    whole |= {**_overlap(found, WHOLE), "labels_lost": found["labels_lost"]}
    whole["dice"] = mean_known(float(own["dice"]) for own in each.values())


def _overlapping_maps(case: Case, transform: Transform, names: Mapping[str, str], whole: Row) -> Iterator[Row]:
    """The first map is the organ, whose Dice counts; errors are of the middles of all of them."""
    errors, before, lost = [], [], 0.0
    for k, (fixed, moving) in enumerate(case.labels):
        found = _labels(transform, fixed, moving)
        own = _overlap(found, WHOLE)
        lost += found["labels_lost"]
        for errors_of, t in ((errors, transform), (before, Affine.identity(transform.dimension))):
            errors_of.append(float(evaluate.target_registration_error(t, middle(fixed), middle(moving))[0]))
        yield {"label": str(k), "name": names.get(str(k), "landmark"), **own, "tre_mm": errors[-1],
               "tre_before_mm": before[-1]}  # fmt: skip
        whole |= own if k == 0 else {}
    whole |= {"tre_mm": mean_known(errors), "tre_before_mm": mean_known(before), "labels_lost": lost}


def read_transform(out: Path, folder: Path, case: Case) -> Displacement:
    """What a tool found, from the vectors that its script wrote."""
    vectors = read_vectors(out, folder)
    d = vectors.shape[-1]
    matrix = nib.load(folder / "fixed.nii.gz").affine[:d, :d]  # steps in voxels, x first -> mm, RAS
    mm = np.moveaxis(vectors.astype(np.float64) @ matrix.T, -1, 0).astype(np.float32)
    field = torch.from_numpy(np.ascontiguousarray(mm.transpose(0, *reversed(range(1, d + 1)))))
    return Displacement(field, case.fixed.space)


def corner_error(transform: Transform, case: Case) -> float:
    """Mean distance from the truth over the corners of the fixed grid, mm."""
    assert case.truth is not None
    space = case.fixed.space
    ends = torch.tensor(list(itertools.product(*[(0, n - 1) for n in space.shape])), dtype=torch.float64)
    corners = space.to_world(ends)
    return float((transform(corners) - case.truth(corners)).norm(dim=-1).mean())


def middle(labels: Labels) -> Points:
    """The centre of mass of everything that is labelled."""
    voxels = (labels.data > 0).nonzero().double().mean(dim=0, keepdim=True)
    return Points(labels.space.to_world(voxels))


def _labels(transform: Transform, fixed: Labels, moving: Labels) -> Figures:
    return evaluate.assess(transform, fixed.space, fixed_labels=fixed, moving_labels=moving)


def _overlap(found: Figures, label: str) -> Row:
    """A label of both images of which a tool leaves no voxel has a Dice of 0 here, not none."""
    dice, far = found.find("dice", label), found.find("hd95_mm", label)
    overlap = 0.0 if math.isnan(dice.value) else dice.value
    return {"dice": overlap, "dice_before": _known(dice.before), "hd95_mm": far.value,
            "hd95_before_mm": _known(far.before)}  # fmt: skip


def _before(found: Figures, measure: str) -> float:
    return _known(found.find(measure).before)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _mask(case: Case) -> Labels | None:
    return None if case.mask is None else Labels(case.mask.to(torch.int16), case.fixed.space)

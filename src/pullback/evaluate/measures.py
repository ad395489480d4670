"""What can be measured: the key, the title, the unit and the better direction of every figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MEAN = "mean"
"""The label of a mean over labels."""


@dataclass(frozen=True)
class Measure:
    """What a figure measures.

    Attributes:
        title: for a table.
        unit: mm, %, or nothing.
        better: which way is better; "" where neither is.
        meaning: in a few words; the exact definition is in docs/methods/evaluate.md.
    """

    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    meaning: str


MEASURES = {
    "dice": Measure("Dice", "", "higher", "2 |A and B| / (|A| + |B|)"),
    "jaccard": Measure("Jaccard", "", "higher", "|A and B| / |A or B|"),
    "hd_mm": Measure("HD", "mm", "lower", "Hausdorff distance of the surfaces, larger direction"),
    "hd95_mm": Measure("HD95", "mm", "lower", "area-weighted 95th percentile, larger direction"),
    "assd_mm": Measure("ASSD", "mm", "lower", "mean distance over the area of both surfaces"),
    "labels_lost": Measure("labels lost", "", "lower", "labels of both images that the transform leaves no voxel of"),
    "tre_mean_mm": Measure("TRE, mean", "mm", "lower", "|T(x) - y| over landmarks"),
    "tre_median_mm": Measure("TRE, median", "mm", "lower", "the same"),
    "tre_p95_mm": Measure("TRE, 95th percentile", "mm", "lower", "the same"),
    "tre_max_mm": Measure("TRE, largest", "mm", "lower", "the same"),
    "tre_within_2mm_percent": Measure("TRE below 2 mm", "%", "higher", "share of the landmarks"),
    "epe_mean_mm": Measure("end-point error, mean", "mm", "lower", "|T(x) - truth(x)| over voxels"),
    "epe_median_mm": Measure("end-point error, median", "mm", "lower", "the same"),
    "epe_p95_mm": Measure("end-point error, 95th percentile", "mm", "lower", "the same"),
    "epe_max_mm": Measure("end-point error, largest", "mm", "lower", "the same"),
    "jacobian_min": Measure("Jacobian, least", "", "", "of T; 1 keeps volume, 0 or less folds"),
    "jacobian_max": Measure("Jacobian, largest", "", "", "of T"),
    "fold_percent": Measure("folding", "%", "lower", "voxels with J <= 0, central differences"),
    "ndv_percent": Measure("non-diffeomorphic volume", "%", "lower", "tetrahedra turned inside out"),
    "sdlogj": Measure("SDlogJ", "", "", "standard deviation of log max(J, 1e-9)"),
    "sdlogj_l2r": Measure("SDlogJ, Learn2Reg's", "", "", "standard deviation of log(J + 3), border cut"),
    "displacement_mean_mm": Measure("displacement, mean", "mm", "", "|T(x) - x|"),
    "displacement_max_mm": Measure("displacement, largest", "mm", "", "|T(x) - x|"),
    "inverse_mean_mm": Measure("inverse consistency, mean", "mm", "lower", "|B(T(x)) - x|"),
    "inverse_max_mm": Measure("inverse consistency, largest", "mm", "lower", "|B(T(x)) - x|"),
    "mse": Measure("MSE", "", "lower", "of intensities as they are; not accuracy"),
    "ncc": Measure("NCC", "", "higher", "Pearson's correlation; not accuracy"),
    "lncc": Measure("LNCC", "", "higher", "signed squared, radius 4; not accuracy"),
    "nmi": Measure("NMI", "", "higher", "Studholme's, 1 to 2; not accuracy"),
    "overlap_percent": Measure("overlap of the images", "%", "", "fixed voxels pulled from inside moving"),
}
"""Every measure by the key that CSV and JSON use, in the order of tables."""

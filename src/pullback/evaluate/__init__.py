"""How good a registration is: against labels, against points, against a known answer, and by itself.

Loss is not accuracy: these numbers are in per cent of overlap and in millimetres, and each says exactly what it means.
`assess` takes whatever is known and measures everything that it allows; the other functions measure one thing each.
"""

from pullback.evaluate.assess import assess
from pullback.evaluate.deformation import DeformationSummary, deformation, inverse_consistency
from pullback.evaluate.errors_mm import ErrorSummary, summarise
from pullback.evaluate.figures import Figure, Figures, to_csv
from pullback.evaluate.label_figures import compare_labels
from pullback.evaluate.likeness import Likeness, likeness
from pullback.evaluate.measures import MEASURES, Measure
from pullback.evaluate.overlap import dice, jaccard, mean_dice
from pullback.evaluate.paired import PairedComparison, compare
from pullback.evaluate.points import end_point_error, target_registration_error
from pullback.evaluate.surface import SurfaceDistances, assd, hd95, surface_distances

__all__ = [
    "MEASURES",
    "DeformationSummary",
    "ErrorSummary",
    "Figure",
    "Figures",
    "Likeness",
    "Measure",
    "PairedComparison",
    "SurfaceDistances",
    "assd",
    "assess",
    "compare",
    "compare_labels",
    "deformation",
    "dice",
    "end_point_error",
    "hd95",
    "inverse_consistency",
    "jaccard",
    "likeness",
    "mean_dice",
    "summarise",
    "surface_distances",
    "target_registration_error",
    "to_csv",
]

"""How good a registration is: against labels, against points, against a known answer, and by itself.

Loss is not accuracy: these numbers are in per cent of overlap and in millimetres, and each says exactly what it means.
"""

from pullback.evaluate.deformation import DeformationSummary, deformation
from pullback.evaluate.overlap import dice, mean_dice
from pullback.evaluate.points import end_point_error, target_registration_error
from pullback.evaluate.surface import SurfaceDistances, assd, hd95, surface_distances

__all__ = [
    "DeformationSummary",
    "SurfaceDistances",
    "assd",
    "deformation",
    "dice",
    "end_point_error",
    "hd95",
    "mean_dice",
    "surface_distances",
    "target_registration_error",
]

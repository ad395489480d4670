"""Finishing: stages that make a result more precise, or take the last folds out of it."""

from pullback.registration.finishing.settle import Settle
from pullback.registration.finishing.soft_spline import SoftSpline
from pullback.registration.finishing.spline_finish import SplineFinish
from pullback.registration.finishing.unfold import Unfold

__all__ = ["Settle", "SoftSpline", "SplineFinish", "Unfold"]

"""Numbers, and what they mean as a transform; one file each."""

from pullback.optimise.parametrisation.bspline import BSpline
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.linear import Linear
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params
from pullback.optimise.parametrisation.sliding import Sliding
from pullback.optimise.parametrisation.smoothed import Smoothed
from pullback.optimise.parametrisation.svf import SVF
from pullback.optimise.parametrisation.time_varying import TimeVaryingVelocity

__all__ = [
    "SVF",
    "BSpline",
    "Greedy",
    "Linear",
    "Parametrisation",
    "Params",
    "Sliding",
    "Smoothed",
    "TimeVaryingVelocity",
]

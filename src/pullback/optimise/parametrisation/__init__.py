"""Numbers, and what they mean as a transform; one file each."""

from pullback.optimise.parametrisation.bspline import BSpline
from pullback.optimise.parametrisation.greedy import Greedy
from pullback.optimise.parametrisation.linear import Linear
from pullback.optimise.parametrisation.parametrisation import Parametrisation, Params

__all__ = ["BSpline", "Greedy", "Linear", "Parametrisation", "Params"]

"""How an energy is minimised.

What the numbers mean (parametrisation), how they are changed (optimiser), at which resolutions (schedule), and the
loop that does it (minimise).
"""

from pullback.optimise.minimise import Solution, Status, minimise
from pullback.optimise.objective import Objective
from pullback.optimise.optimiser import (
    LBFGS,
    Adam,
    ConjugateGradient,
    GradientDescent,
    LevenbergMarquardt,
    Optimiser,
    StochasticDescent,
)
from pullback.optimise.parametrisation import (
    SVF,
    BSpline,
    Greedy,
    Linear,
    Parametrisation,
    Params,
    Sliding,
    Smoothed,
    TimeVaryingVelocity,
)
from pullback.optimise.schedule import Level, Schedule

__all__ = [
    "LBFGS",
    "SVF",
    "Adam",
    "BSpline",
    "ConjugateGradient",
    "GradientDescent",
    "Greedy",
    "Level",
    "LevenbergMarquardt",
    "Linear",
    "Objective",
    "Optimiser",
    "Parametrisation",
    "Params",
    "Schedule",
    "Sliding",
    "Smoothed",
    "Solution",
    "Status",
    "StochasticDescent",
    "TimeVaryingVelocity",
    "minimise",
]

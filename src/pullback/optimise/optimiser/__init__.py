"""Optimisers: how the numbers are changed; one file each."""

from pullback.optimise.optimiser.adam import Adam
from pullback.optimise.optimiser.conjugate_gradient import ConjugateGradient
from pullback.optimise.optimiser.gradient_descent import GradientDescent
from pullback.optimise.optimiser.lbfgs import LBFGS
from pullback.optimise.optimiser.levenberg_marquardt import LevenbergMarquardt
from pullback.optimise.optimiser.optimiser import Optimiser
from pullback.optimise.optimiser.stochastic_descent import StochasticDescent

__all__ = [
    "LBFGS",
    "Adam",
    "ConjugateGradient",
    "GradientDescent",
    "LevenbergMarquardt",
    "Optimiser",
    "StochasticDescent",
]

"""What is minimised: how unlike two images are, and how unlikely a deformation is."""

from pullback.energy.described import described
from pullback.energy.energy import Energy, Pair
from pullback.energy.regulariser import Bending, Diffusion, Regulariser
from pullback.energy.similarity import LNCC, MIND, MSE, NCC, MutualInformation, Similarity, Term, WeightedSum

__all__ = [
    "LNCC",
    "MIND",
    "MSE",
    "NCC",
    "Bending",
    "Diffusion",
    "Energy",
    "MutualInformation",
    "Pair",
    "Regulariser",
    "Similarity",
    "Term",
    "WeightedSum",
    "described",
]

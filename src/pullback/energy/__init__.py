"""What is minimised: how unlike two images are, and how unlikely a deformation is."""

from pullback.energy.energy import Energy, Pair
from pullback.energy.regulariser import Bending, Diffusion, Regulariser
from pullback.energy.similarity import LNCC, MSE, NCC, MutualInformation, Similarity, Term, WeightedSum

__all__ = [
    "LNCC",
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
]

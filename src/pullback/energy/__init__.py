"""What is minimised: how unlike two images are, and how unlikely a deformation is."""

from pullback.energy.described import described
from pullback.energy.energy import Energy, Pair
from pullback.energy.regulariser import (
    Bending,
    Curvature,
    Diffusion,
    Elastic,
    Folding,
    Incompressible,
    Regulariser,
    RegulariserSum,
    RegulariserTerm,
    Sobolev,
    TotalVariation,
)
from pullback.energy.similarity import LNCC, MIND, MSE, NCC, MutualInformation, Similarity, Term, WeightedSum

__all__ = [
    "LNCC",
    "MIND",
    "MSE",
    "NCC",
    "Bending",
    "Curvature",
    "Diffusion",
    "Elastic",
    "Energy",
    "Folding",
    "Incompressible",
    "MutualInformation",
    "Pair",
    "Regulariser",
    "RegulariserSum",
    "RegulariserTerm",
    "Similarity",
    "Sobolev",
    "Term",
    "TotalVariation",
    "WeightedSum",
    "described",
]

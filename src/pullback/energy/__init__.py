"""What is minimised: how unlike two images are, and how unlikely a deformation is."""

from pullback.energy.described import described
from pullback.energy.energy import Compared, Energy
from pullback.energy.landmarks import Landmarks
from pullback.energy.pair import Pair
from pullback.energy.regulariser import Bending, Diffusion, Regulariser
from pullback.energy.similarity import (
    LNCC,
    MIND,
    MSE,
    NCC,
    CorrelationRatio,
    LandmarkDistance,
    MattesMutualInformation,
    MutualInformation,
    NormalisedGradient,
    NormalisedMutualInformation,
    RegionalMutualInformation,
    RobustDifference,
    Similarity,
    SoftDice,
    Term,
    WeightedSum,
)

__all__ = [
    "LNCC",
    "MIND",
    "MSE",
    "NCC",
    "Bending",
    "Compared",
    "CorrelationRatio",
    "Diffusion",
    "Energy",
    "LandmarkDistance",
    "Landmarks",
    "MattesMutualInformation",
    "MutualInformation",
    "NormalisedGradient",
    "NormalisedMutualInformation",
    "Pair",
    "RegionalMutualInformation",
    "Regulariser",
    "RobustDifference",
    "Similarity",
    "SoftDice",
    "Term",
    "WeightedSum",
    "described",
]

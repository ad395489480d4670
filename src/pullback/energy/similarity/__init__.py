"""Measures of how unlike two images are; one file each."""

from pullback.energy.similarity.correlation_ratio import CorrelationRatio
from pullback.energy.similarity.landmark_distance import LandmarkDistance
from pullback.energy.similarity.lncc import LNCC
from pullback.energy.similarity.mattes_mutual_information import MattesMutualInformation
from pullback.energy.similarity.mind import MIND
from pullback.energy.similarity.mse import MSE
from pullback.energy.similarity.mutual_information import MutualInformation
from pullback.energy.similarity.ncc import NCC
from pullback.energy.similarity.normalised_gradient import NormalisedGradient
from pullback.energy.similarity.normalised_mutual_information import NormalisedMutualInformation
from pullback.energy.similarity.regional_mutual_information import RegionalMutualInformation
from pullback.energy.similarity.robust_difference import RobustDifference
from pullback.energy.similarity.similarity import Similarity
from pullback.energy.similarity.soft_dice import SoftDice
from pullback.energy.similarity.surface_distance import SurfaceDistance
from pullback.energy.similarity.weighted_sum import Term, WeightedSum

__all__ = [
    "LNCC",
    "MIND",
    "MSE",
    "NCC",
    "CorrelationRatio",
    "LandmarkDistance",
    "MattesMutualInformation",
    "MutualInformation",
    "NormalisedGradient",
    "NormalisedMutualInformation",
    "RegionalMutualInformation",
    "RobustDifference",
    "Similarity",
    "SoftDice",
    "SurfaceDistance",
    "Term",
    "WeightedSum",
]

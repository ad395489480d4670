"""The main job: two images and a recipe in, a transform out, with an honest account of how it went."""

from pullback.registration import recipes
from pullback.registration.finishing import Settle, SoftSpline, SplineFinish, Unfold
from pullback.registration.further import Further
from pullback.registration.initialisation import AlignCentres, BlockMatching, ConvexSearch, Nudge, Search
from pullback.registration.outcome import Outcome, Step
from pullback.registration.predict import Predict
from pullback.registration.prepare import Prepare, Prepared
from pullback.registration.recipe import Recipe
from pullback.registration.register import register
from pullback.registration.registration import Registration, Remark
from pullback.registration.stage import Optimise, Stage
from pullback.registration.suggest import Suggestion, suggest
from pullback.registration.symmetric import Symmetric

__all__ = [
    "AlignCentres",
    "BlockMatching",
    "ConvexSearch",
    "Further",
    "Nudge",
    "Optimise",
    "Outcome",
    "Predict",
    "Prepare",
    "Prepared",
    "Recipe",
    "Registration",
    "Remark",
    "Search",
    "Settle",
    "SoftSpline",
    "SplineFinish",
    "Stage",
    "Step",
    "Suggestion",
    "Symmetric",
    "Unfold",
    "recipes",
    "register",
    "suggest",
]

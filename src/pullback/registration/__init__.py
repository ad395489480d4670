"""The main job: two images and a recipe in, a transform out, with an honest account of how it went."""

from pullback.registration import recipes
from pullback.registration.initialise import AlignCentres
from pullback.registration.outcome import Outcome, Step
from pullback.registration.predict import Predict
from pullback.registration.prepare import Prepare, Prepared
from pullback.registration.recipe import Recipe
from pullback.registration.register import register
from pullback.registration.registration import Registration
from pullback.registration.search import Search
from pullback.registration.stage import Optimise, Stage

__all__ = [
    "AlignCentres",
    "Optimise",
    "Outcome",
    "Predict",
    "Prepare",
    "Prepared",
    "Recipe",
    "Registration",
    "Search",
    "Stage",
    "Step",
    "recipes",
    "register",
]

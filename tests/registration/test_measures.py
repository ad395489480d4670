"""Every measure has its optimum at the truth, on a pair of the kind that it is meant for, and leads there."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pullback.energy import (
    LNCC,
    MIND,
    MSE,
    NCC,
    CorrelationRatio,
    Energy,
    LandmarkDistance,
    Landmarks,
    MattesMutualInformation,
    MutualInformation,
    NormalisedGradient,
    NormalisedMutualInformation,
    RegionalMutualInformation,
    RobustDifference,
    SoftDice,
    Term,
    WeightedSum,
)
from pullback.evaluate import end_point_error
from pullback.image import Image, Points
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.phantom import heart, heart_space, known_warp, warp_pair
from pullback.registration import Further, Optimise, Recipe, register
from pullback.registration.prepare_further import prepare_further
from pullback.registration.stage import at_level
from pullback.transforms import Affine, Displacement

LABELS, POINTS = Term(SoftDice(), images="labels"), Term(LandmarkDistance())
MEASURES = {
    "mse": ("cine", MSE()),
    "huber": ("cine", RobustDifference("huber", 0.1)),
    "geman-mcclure": ("cine", RobustDifference("geman-mcclure", 0.2)),
    "tukey": ("cine", RobustDifference("tukey", 0.4)),
    "ncc": ("cine", NCC()),
    "lncc": ("cine", LNCC()),
    "lncc-low-floor": ("cine", LNCC(floor=1e-5)),
    "mutual-information": ("t2", MutualInformation()),
    "mattes": ("t2", MattesMutualInformation()),
    "studholme": ("t2", NormalisedMutualInformation()),
    "regional": ("t2", RegionalMutualInformation()),
    "correlation-ratio": ("negative", CorrelationRatio()),
    "gradient": ("t2", NormalisedGradient()),
    "mind": ("t2", MIND()),
    "dice": ("t2", WeightedSum((LABELS,))),
    "landmarks": ("t2", WeightedSum((POINTS,))),
    "all": ("t2", WeightedSum((Term(RegionalMutualInformation()), LABELS, Term(LandmarkDistance(), 1e-3)))),
}
every_measure = pytest.mark.parametrize("name", MEASURES)


@cache
def phantom(contrast):
    """A heart on a coarse grid, bent, against itself as another contrast, with landmarks about it."""
    space = heart_space(shape=(80, 80), spacing=(2.8, 2.8))
    truth = known_warp(space, seed=3, max_mm=9.0, smoothness_mm=25.0)
    cine = heart(space=space, seed=1)
    pair = warp_pair(cine.image, truth, cine.labels, noise=0.01, seed=1)
    if contrast == "t2":
        pair = replace(pair, moving=heart(space=space, seed=1, contrast="t2").image)
    if contrast == "negative":
        pair = replace(pair, moving=Image(pair.moving.data.max() - pair.moving.data, space))
    here = space.grid()[20:60:8, 20:60:8].reshape(-1, 2)
    return pair, Landmarks(Points(here), Points(truth(here)))


def recipe(similarity):
    schedule = Schedule((Level(2, 30), Level(1, 15)))
    return Recipe("one", "", (Optimise(Greedy(2.5, 0.5), Energy(similarity), GradientDescent(), schedule),))


def further(contrast, similarity):
    """What the measure asks for."""
    pair, landmarks = phantom(contrast)
    terms = similarity.terms if isinstance(similarity, WeightedSum) else ()
    points = any(isinstance(term.similarity, LandmarkDistance) for term in terms)
    labels = {"labels": (pair.fixed_labels, pair.moving_labels)} if any(term.images for term in terms) else {}
    return Further(also=labels, landmarks=landmarks if points else None)


@every_measure
def test_along_the_way_to_the_truth_and_past_it_the_loss_is_least_there(name):
    contrast, similarity = MEASURES[name]
    pair, _ = phantom(contrast)
    space, whole = pair.fixed.space, recipe(similarity)
    ready = prepare_further(whole, further(contrast, similarity), (pair.fixed, pair.moving), (None, None), "cpu")
    two = at_level(*ready, Level(1, 1), Energy(similarity).keys)
    field = pair.truth.displace(space).float()
    parts = np.linspace(0, 1.5, 31)
    losses = [float(Energy(similarity).loss(two, Displacement(float(part) * field, space))) for part in parts]
    assert parts[int(np.argmin(losses))] == pytest.approx(1.0, abs=0.1)


@every_measure
def test_a_registration_by_it_comes_nearer_to_the_truth(name):
    contrast, similarity = MEASURES[name]
    pair, _ = phantom(contrast)
    result = register(pair.fixed, pair.moving, recipe(similarity), further=further(contrast, similarity))
    heart = pair.fixed_labels.data > 0
    error = float(end_point_error(result.transform, pair.truth, pair.fixed.space, heart).nanmean())
    before = float(end_point_error(Affine.identity(2), pair.truth, pair.fixed.space, heart).nanmean())
    assert result.ok, result.message
    assert error < 0.6 * before

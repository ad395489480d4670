"""Values set by their place, and terms added, without a file; whatever is not there is told."""

import pytest

from pullback.energy import MSE, SurfaceDistance, Term
from pullback.errors import RecipeError
from pullback.registration import recipe_file
from pullback.registration.recipe_changes import changed
from pullback.registration.recipes import RECIPES, named


def test_values_are_set_where_the_file_nests_them():
    mine = changed(
        named("deformable"),
        [
            "prepare.match_histograms=true",
            "prepare.flatten_mm = 40",
            "stages.1.schedule.levels.0={shrink: 9, steps: 7}",
            "stages.1.energy.similarity={kind: MSE}",
            "name=mine",
        ],
    )
    assert mine.prepare.match_histograms
    assert mine.prepare.flatten_mm == 40.0
    assert mine.name == "mine"
    before = named("deformable")
    assert mine.stages[1].energy.similarity == MSE()
    assert (mine.stages[0], *mine.stages[2:]) == (before.stages[0], *before.stages[2:])
    assert mine.prepare.low_percentile == before.prepare.low_percentile


def test_an_optional_value_is_unset_by_null():
    assert changed(changed(named("rigid"), ["prepare.flatten_mm=40"]), ["prepare.flatten_mm=null"]) == named("rigid")


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_changes_nothing_and_every_recipe_can_be_changed(name):
    recipe = named(name)
    assert changed(recipe) is recipe
    assert changed(recipe, ["description=mine"]).stages == recipe.stages


def test_terms_are_added_as_recipe_adding_does():
    found = changed(named("fast"), terms=["{similarity: {kind: SurfaceDistance, threshold: 3}, weight: 0.01}"])
    assert found == named("fast").adding(Term(SurfaceDistance(threshold=3.0), 0.01))
    both = changed(named("fast"), ["prepare.flatten_mm=30"], ["{similarity: {kind: MSE}, images: t2}"])
    assert both.stages[-1].energy.similarity.terms[-1] == Term(MSE(), images="t2")
    assert both.prepare.flatten_mm == 30.0


@pytest.mark.parametrize(
    ("settings", "terms", "message"),
    [
        (["prepare"], [], "a setting is PLACE=VALUE"),
        (["=3"], [], "a setting is PLACE=VALUE"),
        (["prepare.flaten_mm=3"], [], "there is no 'flaten_mm' here; there is low_percentile, high_percentile"),
        (["stages.9.name=a"], [], "there is no item '9' here; there are 2, numbered from 0"),
        (["stages.first.name=a"], [], "there is no item 'first'"),
        (["stages.--1.name=a"], [], "there is no item '--1'"),
        (["stages.\u00b2.name=a"], [], "there is no item '\u00b2'"),
        (["name.first=a"], [], "'first' would stand inside of 'affine'"),
        (["prepare.flatten_mm=0.1"], [], "prepare.flatten_mm must be at least 1"),
        (["prepare.match_histograms=3"], [], "prepare.match_histograms must be true or false; got 3"),
        (["prepare.flatten_mm=[1"], [], "not valid YAML"),
        (["prepare.flatten_mm=&a 40"], ["*a"], "alias"),
        ([], ["{similarity: {kind: Distance}}"], "must be one of MSE"),
        ([], ["MSE"], "must hold keys and values; got 'MSE'"),
    ],
)
def test_what_makes_no_sense_is_told(settings, terms, message):
    two = recipe_file.from_dict({**recipe_file.to_dict(named("affine")), "stages": recipe_file.to_dict(
        named("affine"))["stages"][:2]})  # fmt: skip
    with pytest.raises(RecipeError, match=message):
        changed(two, settings, terms)

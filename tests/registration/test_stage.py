"""Optimise: coarse to fine in mm, each level from where the last one ended, with its history told."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import MSE, Energy, NormalisedGradient
from pullback.errors import RecipeError
from pullback.optimise import LBFGS, GradientDescent, Greedy, Level, Linear, Schedule, Status
from pullback.registration import Optimise, Prepare, Prepared, Recipe, recipes
from pullback.registration.register import register
from pullback.registration.stage import at_level
from pullback.space import Space
from pullback.transforms import Affine, Composite


@pytest.fixture
def ready(paint, grid):
    """Prepared images, and the answer."""

    def make(dimension=2, spacing=None):
        truth, space = Affine.translation([4.0, -3.0, 2.0][:dimension]), grid(dimension, spacing)
        return (*Prepare().pair(paint(space, truth), paint(space), None, None, "cpu"), truth)

    return make


def stage(model=None, levels=((4, 30), (2, 30), (1, 30))):
    schedule = Schedule(tuple(Level(*numbers) for numbers in levels))
    return Optimise(model or Linear("translation"), Energy(MSE()), LBFGS(), schedule)


def test_it_is_named_after_its_model():
    assert stage(Linear("rigid")).name == "rigid"
    assert stage(Greedy()).name == "deformable"


def test_every_level_is_told(ready):
    fixed, moving, truth = ready(2, 0.5)
    outcome = stage().run(fixed, moving, Affine.identity(2))
    assert [h.spacing_mm for h in outcome.history] == [pytest.approx((s, s), rel=0.1) for s in (1.12, 1.0, 0.5)]
    assert all(h.losses for h in outcome.history)
    assert outcome.history[0].losses[0] > outcome.history[-1].losses[-1]
    assert outcome.status is Status.converged
    assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=0.05)


def test_a_level_goes_on_where_the_last_one_ended(ready):
    fixed, moving, _ = ready(2, 0.5)
    outcome = stage(levels=((2, 60), (1, 1))).run(fixed, moving, Affine.identity(2))
    assert outcome.history[1].losses[0] < 0.05 * outcome.history[0].losses[0]


def test_it_goes_on_from_the_initial_transform(ready):
    fixed, moving, truth = ready()
    outcome = stage(levels=((1, 1),)).run(fixed, moving, truth)
    assert outcome.history[0].losses[0] < 1e-4
    turned = stage(Greedy(), levels=((1, 1),)).run(fixed, moving, truth)
    assert isinstance(turned.transform, Composite)
    assert torch.equal(turned.transform.parts[0].matrix, truth.matrix)


def test_steps_that_run_out_are_told(ready):
    fixed, moving, _ = ready()
    slow = replace(stage(levels=((1, 3),)), optimiser=GradientDescent(step_voxels=0.1))
    assert slow.run(fixed, moving, Affine.identity(2)).status is Status.max_steps


def test_images_that_do_not_meet_are_not_worked_on(ready):
    fixed, moving, _ = ready()
    away = Affine.translation([500.0, 0.0])
    outcome = stage().run(fixed, moving, away)
    assert outcome.status is Status.no_overlap
    assert outcome.transform is away
    assert outcome.history == ()


def test_masks_that_do_not_meet_are_not_worked_on_either(ready):
    fixed, moving, _ = ready()
    left, right = torch.zeros_like(fixed.data), torch.zeros_like(fixed.data)
    left[..., :15], right[..., 45:] = 1.0, 1.0
    outcome = stage().run(replace(fixed, weight=left), replace(moving, weight=right), Affine.identity(2))
    assert outcome.status is Status.no_overlap


def test_a_small_moving_image_in_a_large_fixed_one_is_worked_on(ready, paint, grid):
    fixed, _, truth = ready()
    small = grid(2, 0.6, mm=12.0)
    piece = Prepared(fixed.data.new_tensor(0.0), small)
    piece = replace(piece, data=Prepare().pair(paint(small), paint(small), None, None, "cpu")[0].data)
    assert small.count * 0.36 < 0.05 * fixed.space.count * 1.44
    outcome = stage().run(fixed, piece, truth)
    assert outcome.status is not Status.no_overlap


def test_both_images_are_seen_at_the_resolution_of_the_level():
    fine, coarse = Space.of_array((200, 200), 0.5), Space.of_array((50, 50), 2.0)
    images = [Prepared(torch.rand(1, 1, *space.shape), space) for space in (fine, coarse)]
    pair = at_level(*images, Level(2, 1))
    assert pair.fixed_space.spacing == pytest.approx((1.0, 1.0))
    assert pair.moving_space.same_as(coarse), "never finer than it is"
    pair = at_level(*reversed(images), Level(1, 1))
    assert pair.fixed_space.same_as(coarse)
    assert pair.moving_space.finest == pytest.approx(2.0, rel=0.6), "a fine moving image is smoothed down to the fixed"


def test_work_counts_steps_at_full_resolution():
    assert stage(levels=((2, 40), (1, 10))).work == pytest.approx(40 / 4 + 10)


def test_who_watches_sees_levels_and_shares(ready):
    fixed, moving, _ = ready()
    seen = []
    stage(levels=((2, 5), (1, 5))).run(fixed, moving, Affine.identity(2), seen.append)
    assert {(s.level, s.levels) for s in seen} == {(1, 2), (2, 2)}
    assert all(s.stage == "translation" for s in seen)
    assert [s.share for s in seen] == sorted(s.share for s in seen)
    assert seen[-1].share <= 1.0


def turned(paint, grid):
    """Images turned by 60 degrees against each other: too far to be seen."""
    truth = Affine.rigid(60.0, [0.0, 0.0])
    space = grid(2)
    return (*Prepare().pair(paint(space, truth), paint(space), None, None, "cpu"), truth)


def test_a_picture_may_set_out_from_several_turns(paint, grid):
    fixed, moving, truth = turned(paint, grid)
    alone = replace(stage(Linear("rigid"), ((1, 30),)), energy=Energy(NormalisedGradient()))
    several = replace(alone, turns_degrees=(-55.0, 55.0))
    one, other = (s.run(fixed, moving, Affine.identity(2)) for s in (alone, several))
    assert not torch.allclose(one.transform.matrix, truth.matrix, atol=0.05)
    assert torch.allclose(other.transform.matrix[:2, :2], truth.matrix[:2, :2], atol=0.01)
    assert other.history[-1].losses[-1] < one.history[-1].losses[-1]


def test_the_best_start_may_be_the_given_one(ready):
    fixed, moving, truth = ready()
    outcome = replace(stage(Linear("rigid")), turns_degrees=(150.0,)).run(fixed, moving, Affine.identity(2))
    assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=0.1)


def test_volumes_are_not_turned(ready):
    fixed, moving, _ = ready(3)
    plain = stage(Linear("rigid"), ((2, 3),))
    outcomes = [s.run(fixed, moving, Affine.identity(3)) for s in (plain, replace(plain, turns_degrees=(5.0,)))]
    assert torch.equal(outcomes[0].transform.matrix, outcomes[1].transform.matrix)


def test_turned_starts_are_for_linear_models():
    with pytest.raises(RecipeError, match="turned starts suit linear models"):
        replace(stage(Greedy()), turns_degrees=(2.0,))


def test_stages_for_pictures_or_volumes_alone():
    for_pictures, for_all = replace(stage(), dimension=2), stage(Linear("rigid"))
    recipe = Recipe("mine", "", (for_pictures, for_all))
    assert recipe.suiting(2) is recipe
    assert recipe.suiting(3).stages == (for_all,)
    with pytest.raises(RecipeError, match="no stage for 3D"):
        Recipe("flat", "", (for_pictures,)).suiting(3)


def test_what_a_result_holds_is_the_recipe_that_ran(paint, grid):
    space = grid(3, spacing=4.5)
    result = register(paint(space, Affine.translation([2.0, 0.0, 0.0])), paint(space), recipes.rigid())
    assert result.recipe == recipes.rigid().suiting(3)
    assert len(result.outcomes) == len(result.recipe.stages)

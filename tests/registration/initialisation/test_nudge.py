"""Nudge: a little, towards what the images say, and no farther than they are sure."""

from dataclasses import replace

import torch

from pullback.energy import MIND, MSE, NCC, MutualInformation, Term, WeightedSum
from pullback.optimise import Status
from pullback.registration import Nudge, Prepare
from pullback.transforms import Affine


def shift_found(fixed, moving, stage, start=None):
    pair = Prepare().pair(fixed, moving, None, None, "cpu")
    return stage.run(*pair, start or Affine.identity(fixed.dimension))


def test_a_small_shift_is_found_from_any_start(paint, grid):
    space, truth = grid(2), Affine.translation([3.0, -2.0])
    fixed, moving = paint(space, truth), paint(space)
    for start in (Affine.identity(2), Affine.translation([1.0, 1.0])):
        outcome = shift_found(fixed, moving, Nudge(4.0, pull_per_mm2=1e-4, shrink=1.0, similarity=NCC()), start)
        assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=0.8)


def test_a_strong_pull_leaves_it_at_the_start(paint, grid):
    space = grid(2)
    fixed, moving = paint(space, Affine.translation([3.0, -2.0])), paint(space)
    outcome = shift_found(fixed, moving, Nudge(4.0, pull_per_mm2=10.0, similarity=NCC()))
    assert torch.equal(outcome.transform.matrix, torch.eye(3, dtype=torch.float64))
    assert outcome.notes == ("shifted by 0.0 mm",)


def test_nothing_in_common(paint, grid):
    image = paint(grid(2))
    outcome = shift_found(image, image, Nudge(similarity=MSE()), Affine.translation([500.0, 0.0]))
    assert outcome.status is Status.no_overlap


def test_a_window_keeps_the_rim_from_deciding(paint, grid):
    """What is painted about the middle moved by 3 mm, and a much brighter rim did not."""
    space, truth = grid(2), Affine.translation([3.0, 0.0])
    fixed, moving = paint(space, truth), paint(space)
    rim = 20.0 * (space.grid().norm(dim=-1) > 30).float()[None]
    fixed, moving = (replace(image, data=image.data + rim * texture(space)) for image in (fixed, moving))
    whole = Nudge(4.0, pull_per_mm2=1e-4, shrink=1.0, similarity=NCC())
    found = [
        float(shift_found(fixed, moving, s).transform.matrix[0, 2]) for s in (whole, replace(whole, window_mm=8.0))
    ]
    assert abs(found[0]) < 1.1
    assert abs(found[1] - 3.0) < 0.8


def texture(space):
    return torch.sin(space.grid().sum(dim=-1)).float()[None] ** 2


def test_descriptors_guide_it_in_a_sum(paint, grid):
    space, truth = grid(2), Affine.translation([3.0, -2.0])
    both = WeightedSum((Term(MutualInformation(bins=16)), Term(MIND(form="both"), 2.0)))
    stage = Nudge(4.0, pull_per_mm2=1e-4, shrink=1.0, similarity=both)
    outcome = shift_found(paint(space, truth), paint(space), stage)
    assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=0.8)

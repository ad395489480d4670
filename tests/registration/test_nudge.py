"""Nudge: a little, towards what the images say, and no farther than they are sure."""

import torch

from pullback.energy import MSE, NCC
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

"""ConvexSearch: finds what descent would not, in mm, from any start, and leaves alike images alone."""

import pytest
import torch

from pullback.energy import MSE
from pullback.image import Image
from pullback.optimise import Status
from pullback.phantom import known_warp
from pullback.registration import ConvexSearch, Prepare, Recipe
from pullback.registration.initialisation import convex
from pullback.registration.initialisation.coupled import coupled, met_halfway
from pullback.registration.recipes import named
from pullback.registration.register import register
from pullback.space import Space
from pullback.transforms import Affine


def run(fixed, moving, stage, initial=None):
    pair = Prepare().pair(fixed, moving, None, None, "cpu")
    return stage.run(*pair, initial or Affine.identity(fixed.dimension))


def error(found, truth, space, size):
    """Mean distance in mm over the middle of the picture."""
    at = space.grid()
    at = at[(at.norm(dim=-1) < 0.4 * size)]
    return float((found(at) - truth(at)).norm(dim=-1).mean())


@pytest.fixture(scope="module")
def far(paint, grid):
    """A warp by up to 20 mm, with blobs of 2 to 6 mm."""
    space = grid(2, 1.0, mm=96.0)
    truth = known_warp(space, seed=3, max_mm=20.0, smoothness_mm=18.0)
    return paint(space, truth, size=90.0), paint(space, size=90.0), truth


def test_it_finds_what_descent_does_not(far):
    fixed, moving, truth = far
    descent = named("deformable").dense
    pair = Prepare().pair(fixed, moving, None, None, "cpu")
    start = Affine.identity(2)
    searched = start
    for reach, spacing in ((20.0, 6.0), (10.0, 4.0)):
        searched = ConvexSearch(reach, spacing, shrink=1.0).run(*pair, searched).transform
    without, after = (descent.run(*pair, t).transform for t in (start, searched))
    assert error(searched, truth, fixed.space, 90) < 0.6 * error(start, truth, fixed.space, 90)
    assert error(after, truth, fixed.space, 90) < 0.3
    assert error(without, truth, fixed.space, 90) > 3.0


def test_three_dimensions_and_oblique_axes(paint, grid):
    turn = torch.linalg.qr(torch.tensor([[1.0, 0.2, -0.3], [-0.1, 1.0, 0.4], [0.3, -0.2, 1.0]])).Q
    space, shift = grid(3, (2.4, 2.6, 5.0), turn=turn), Affine.translation([9.0, -7.0, 6.0])
    outcome = run(paint(space, shift), paint(space), ConvexSearch(12.0, 5.0, shrink=1.0))
    assert outcome.status is Status.converged
    assert error(outcome.transform, shift, space, 40) < 3.0, "of 13 mm"


def test_alike_images_are_left_where_they_are(paint, grid):
    space = grid(2)
    outcome = run(paint(space), paint(space), ConvexSearch(12.0, 4.0, shrink=1.0))
    assert error(outcome.transform, Affine.identity(2), space, 70) < 0.05


def test_it_searches_for_what_a_start_has_left(far):
    fixed, moving, truth = far
    outcome = run(fixed, moving, ConvexSearch(8.0, 4.0, shrink=1.0), truth)
    assert error(outcome.transform, truth, fixed.space, 90) < 0.5


def test_brightness_may_be_compared(far):
    fixed, moving, truth = far
    start = Affine.identity(2)
    outcome = run(fixed, moving, ConvexSearch(20.0, 4.0, shrink=1.0, similarity=MSE()))
    assert error(outcome.transform, truth, fixed.space, 90) < 0.9 * error(start, truth, fixed.space, 90)


def test_a_single_slice_moves_in_its_plane(far):
    fixed, moving, _ = far
    space = Space.of_array((1, *fixed.space.shape), (8.0, *fixed.space.spacing))
    thin = [Image(image.data[:, None], space) for image in (fixed, moving)]
    outcome = run(*thin, ConvexSearch(12.0, 6.0, shrink=1.0))
    field = outcome.transform.displace(space)
    through = space.linear[:, 0] / space.linear[:, 0].norm()
    assert float(field.norm(dim=0).max()) > 3.0
    assert float(torch.einsum("d,d...->...", through.to(field), field).abs().max()) < 1e-4


def test_where_memory_does_not_suffice_the_grid_is_coarser(far, monkeypatch):
    monkeypatch.setattr(convex, "MOST_COSTS", 20_000)
    outcome = run(*far[:2], ConvexSearch(16.0, 4.0, shrink=1.0))
    grid_mm = float(outcome.notes[0].split("grid of ")[1].split()[0])
    assert grid_mm > 5.0


def test_images_that_do_not_meet(paint, grid):
    fixed = paint(grid(2))
    outcome = run(fixed, fixed, ConvexSearch(), Affine.translation([500.0, 0.0]))
    assert outcome.status is Status.no_overlap


def test_coupling_overrules_an_odd_place_out():
    """All places but one prefer a step to the right; the one, by little, a step to the left."""
    steps = torch.tensor([[-1.0], [0.0], [1.0]])
    table = torch.tensor([2.0, 1.0, 0.0])[:, None].repeat(1, 21)
    table[:, 10] = torch.tensor([0.0, 0.1, 0.2])
    field = coupled(table, steps, (21,), 1.5)
    assert float((field - 1.0).abs().max()) < 0.05


def test_two_directions_that_agree_keep_what_they_say():
    there, back = torch.full((2, 16, 16), 1.5), torch.full((2, 16, 16), -1.5)
    assert torch.allclose(met_halfway(there, back), there, atol=1e-5)
    assert float(met_halfway(there, 0 * back).abs().max()) < 1.0


def test_the_recipe(far):
    fixed, moving, truth = far
    recipe = named("large-deformation")
    result = register(fixed, moving, Recipe("x", "y", recipe.stages))
    assert result.ok
    assert error(result.transform, truth, fixed.space, 90) < 1.2

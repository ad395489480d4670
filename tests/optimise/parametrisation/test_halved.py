"""Halved models: two ways from the middle, and swapping the images swaps them."""

import pytest
import torch

from pullback.optimise import SVF, BSpline, Greedy, Linear, Params, Smoothed
from pullback.optimise.parametrisation.halve import halved
from pullback.space import Space
from pullback.transforms import Affine, Halfway

MODELS = {
    "greedy": Greedy(1.5, 0.3),
    "svf": SVF(1.5, 0.3),
    "b-spline": BSpline(4.0),
    "smoothed": Smoothed(Greedy(0.0, 0.3), "sobolev", reach_mm=3.0),
    "smoothed-svf": Smoothed(SVF(0.0, 0.3), reach_mm=3.0),
    "rigid": Linear("rigid"),
    "affine": Linear("affine"),
}
every_model = pytest.mark.parametrize("model", [halved(m) for m in MODELS.values()], ids=MODELS)


def middle(space):
    return Halfway(Affine.identity(space.dimension), Affine.identity(space.dimension), space)


def forces(space, seed=0):
    return torch.randn(2, space.dimension, *space.shape, generator=torch.Generator().manual_seed(seed))


def moved(model, space, length=2.0, swapped=False):
    """Numbers after three steps of the given length; with the images swapped, forces and numbers are too."""
    params = model.start(space, middle(space), "cpu")
    for seed in range(3):
        if model.composed:
            force = forces(space, seed)
            step = model.precondition(params, model.joined(force.flip(0) if swapped else force))
        else:
            draw = torch.randn(params.values.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            step = -draw if swapped else draw
        params = model.retract(params, step, length / model.length(step))
    return params


@every_model
def test_swapping_the_images_gives_the_inverse(model, dimension, oblique_space, points_inside):
    space = oblique_space(dimension)
    one, other = (model.build(moved(model, space, swapped=swapped)) for swapped in (False, True))
    points = points_inside(space)
    assert float((one(points) - points).norm(dim=-1).max()) > 0.5
    assert float((other(points) - one.inverse()(points)).norm(dim=-1).max()) < 1e-5
    assert float((one.to_fixed(points) - other.to_moving(points)).norm(dim=-1).max()) < 1e-5


@every_model
def test_the_initial_halves_stay_outside(model, oblique_space, points_inside):
    space = oblique_space(2)
    initial = Halfway(Affine.rigid(-5.0, [1.0, 2.0]), Affine.rigid(5.0, [-1.0, 0.0]), space)
    start = model.start(space, initial, "cpu")
    points = points_inside(space)
    assert float((model.build(start)(points) - initial(points)).norm(dim=-1).max()) < 1e-5
    params = moved(model, space)
    to_fixed, to_moving = model.halves(params)
    found = model.build(Params(params.values, space, initial))
    torch.testing.assert_close(found.to_fixed(points), initial.to_fixed(to_fixed(points)))
    torch.testing.assert_close(found.to_moving(points), initial.to_moving(to_moving(points)))


@every_model
def test_a_single_slice_stays_in_its_plane(model, oblique_space):
    space = oblique_space(3, (1, 20, 28))
    for half in model.halves(moved(model, space)):
        away = space.to_voxels(half(space.grid()))[..., 0]
        assert float(away.abs().max()) < 1e-4


@every_model
def test_a_finer_grid_keeps_both_halves(model, oblique_space, smooth_field, points_inside):
    space = oblique_space(2, (24, 30))
    params = model.start(space, middle(space), "cpu")
    field = smooth_field(space if params.values.ndim == 1 else space.resized(params.values.shape[-2:]), 3.0)
    values = {3: field, 4: torch.stack([-field, field])}.get(params.values.ndim, torch.ones_like(params.values))
    params = Params(values, space, params.initial)
    fine = model.refine(params, space.resized((48, 60)))
    points = points_inside(space)
    for coarse_half, fine_half in zip(model.halves(params), model.halves(fine), strict=True):
        assert float((coarse_half(points) - points).norm(dim=-1).max()) > 0.3
        assert float((coarse_half(points) - fine_half(points)).norm(dim=-1).max()) < 0.1


def test_linear_halves_are_differentiable_and_turn_about_the_middle():
    space = Space.of_array((20, 24), 2.0)
    model = halved(Linear("affine"))
    start = model.start(space, middle(space), "cpu")

    def places(values):
        halves = model.halves(Params(values, space, start.initial))
        return torch.stack([half(space.grid()[::9, ::9]) for half in halves])

    values = torch.linspace(-1, 2, len(start.values), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(places, values, eps=1e-6, atol=1e-6)
    turn = halved(Linear("rigid"))
    halves = turn.halves(Params(torch.tensor([5.0, 0.0, 0.0], dtype=torch.float64), space, start.initial))
    for half in halves:
        assert torch.allclose(half(space.centre), space.centre)

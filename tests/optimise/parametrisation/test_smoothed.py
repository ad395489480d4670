"""Smoothed steps: the width is in mm, on every grid, and whichever optimiser takes them."""

import math

import pytest
import torch

from pullback.energy.regulariser.differences import laplacian
from pullback.errors import RecipeError
from pullback.optimise import LBFGS, SVF, Adam, BSpline, GradientDescent, Greedy, Linear, Objective, Smoothed, minimise
from pullback.optimise.parametrisation.spectral import damped
from pullback.space import Space
from pullback.transforms import Affine

PLAIN = Greedy(smooth_update_voxels=0.0, smooth_total_voxels=0.0)
SPACE = Space.of_array((24, 30), (2.0, 1.5))
KERNELS = {"gaussian": Smoothed(PLAIN, "gaussian", 4.0), "sobolev": Smoothed(PLAIN, "sobolev", 5.0)}
every_kernel = pytest.mark.parametrize("model", KERNELS.values(), ids=KERNELS)


def noise(space, seed=0):
    return torch.randn(space.dimension, *space.shape, generator=torch.Generator().manual_seed(seed))


def roughness(field):
    """The mean square of differences beside that of the values: 2 for noise."""
    return float((field[..., 1:] - field[..., :-1]).square().mean() / field.square().mean())


@pytest.mark.parametrize("shape", [(24, 31), (9, 12, 10), (1, 16, 13)])
@pytest.mark.parametrize("order", [1, 2])
def test_it_undoes_the_operator_of_the_metric(shape, order):
    space = Space.of_array(shape, (2.0, 1.5, 1.2)[: len(shape)])
    field = noise(space).to(torch.float64)
    again = damped(field, space, 3.0, float(order))
    for _ in range(order):
        again = again - 3.0**2 * laplacian(again, space)
    inner = tuple(slice(2, -2) if n > 1 else slice(None) for n in shape)  # the border is another there
    assert torch.allclose(again[:, *inner], field[:, *inner], atol=1e-9)


@pytest.mark.parametrize("n", [2, 7, 16])
def test_a_shift_passes_and_waves_are_damped_as_said(n):
    space = Space.of_array((n, 12), (1.7, 2.0))
    assert torch.allclose(damped(torch.ones(2, n, 12), space, 5.0, 1.5), torch.ones(2, n, 12), atol=1e-6)
    k = n // 2
    wave = torch.cos(math.pi * k * (torch.arange(n, dtype=torch.float64) + 0.5) / n)[None, :, None].expand(2, n, 12)
    expected = (1 + (5.0 / 1.7) ** 2 * (2 - 2 * math.cos(math.pi * k / n))) ** -1.5
    assert torch.allclose(damped(wave, space, 5.0, 1.5), expected * wave, atol=1e-9)
    half = damped(damped(wave, space, 5.0, 0.75), space, 5.0, 0.75)
    assert torch.allclose(half, expected * wave, atol=1e-9)


@every_kernel
def test_the_width_is_the_same_in_mm_on_every_grid(model):
    """What is left of a bump of 12 mm, on a coarse and on a fine grid."""

    def left(space):
        away = (space.grid() - space.centre).norm(dim=-1)
        bump = torch.exp(-0.5 * (away / 12.0) ** 2).to(torch.float32).expand(2, *space.shape)
        return float(model.half(model.half(bump, space), space).max())

    coarse, fine = Space.of_array((40, 40), 4.0), Space.of_array((106, 80), (1.5, 2.0))
    assert left(coarse) == pytest.approx(left(fine), rel=0.02)
    assert left(fine) < 0.95


@every_kernel
@pytest.mark.parametrize(
    "optimiser",
    [
        GradientDescent(1.0),
        GradientDescent(1.0, momentum=0.7),
        Adam(0.3),
        LBFGS(),
        GradientDescent(4.0, line_search="armijo"),
    ],
)
def test_every_optimiser_stays_smooth_and_goes_down(model, optimiser):
    """Drawn towards noise beside a smooth motion: the smooth one is followed, whatever the optimiser does."""
    rough = noise(SPACE)
    angle = (SPACE.grid() - SPACE.centre) / 10.0
    goal = 2.0 * torch.exp(-0.5 * angle.square().sum(dim=-1)).to(torch.float32).expand(2, *SPACE.shape)
    objective = Objective(lambda p: (p.values - goal - rough).square().mean(), model)
    start = model.start(SPACE, Affine.identity(2), "cpu")
    solution = minimise(objective, start, optimiser, steps=12, unit_mm=1.5)
    values = solution.params.values
    assert solution.loss < 0.85 * float(objective.loss(start))
    assert roughness(values) < 0.15 * roughness(rough)


@every_kernel
def test_a_line_search_sees_the_true_slope(model):
    """The product of a step with the gradient is how fast the loss falls along it: that of the numbers v."""
    goal = noise(SPACE)
    objective = Objective(lambda p: (p.values - goal).square().mean(), Smoothed(SVF(0.0, 0.0), model.kernel, 4.0))
    start = objective.model.start(SPACE, Affine.identity(2), "cpu")
    loss, gradient = objective.value_and_gradient(start)
    after, _ = objective.value_and_gradient(objective.model.retract(start, gradient, -1.0))
    assert (after - loss) == pytest.approx(-float(gradient.square().sum()), rel=0.05)


def test_what_it_cannot_smooth_is_refused():
    for model in (BSpline(), Linear("rigid"), Smoothed(PLAIN)):
        with pytest.raises(RecipeError, match="steps of a Greedy, an SVF or a TimeVaryingVelocity; got"):
            Smoothed(model)
    with pytest.raises(RecipeError, match=r"set smooth_update_voxels of its model to 0, got 1\.7"):
        Smoothed(Greedy())

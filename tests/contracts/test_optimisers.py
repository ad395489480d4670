"""What every optimiser promises: it goes down, it stops, and it remembers only what it is handed."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.errors import RecipeError
from pullback.optimise import (
    LBFGS,
    Adam,
    ConjugateGradient,
    GradientDescent,
    LevenbergMarquardt,
    Linear,
    Objective,
    StochasticDescent,
    minimise,
)
from pullback.optimise.optimiser.line_search import searched
from pullback.registration.recipe_file import KINDS, optimise
from pullback.space import Space
from pullback.transforms import Affine

OPTIMISERS = {
    "gradient-descent": GradientDescent(step_voxels=0.5),
    "momentum": GradientDescent(step_voxels=0.5, momentum=0.7),
    "nesterov": GradientDescent(step_voxels=0.5, momentum=0.7, nesterov=True),
    "armijo": GradientDescent(step_voxels=4.0, smallest=1e-5, line_search="armijo"),
    "wolfe": GradientDescent(step_voxels=4.0, smallest=1e-5, line_search="wolfe"),
    "conjugate": ConjugateGradient(smallest=1e-5),
    "adam": Adam(step_voxels=0.1),
    "l-bfgs": LBFGS(),
    "levenberg-marquardt": LevenbergMarquardt(),
    "stochastic": StochasticDescent(step_voxels=1.0, patience=50.0),
}
SPACE = Space.of_array((16, 16))
GOAL = torch.tensor([3.0, -2.0, 1.0, 4.0, -1.0, 2.0], dtype=torch.float64)
CURVATURE = torch.tensor([1.0, 2.0, 5.0, 10.0, 3.0, 1.5], dtype=torch.float64)

NEAR = {
    "gradient-descent": 0.2,
    "momentum": 0.2,
    "nesterov": 0.2,
    "armijo": 0.1,
    "wolfe": 0.1,
    "conjugate": 0.01,
    "adam": 0.3,
    "l-bfgs": 1e-3,
    "levenberg-marquardt": 1e-3,
    "stochastic": 0.3,
}
"""How close each must come to a minimum 1.4 or 6 mm away: first-order steps of a set length circle about it at last."""

every_optimiser = pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)


def problem(loss, freedom="affine"):
    """An objective that looks only at the six (or two) numbers of a linear model, and where it starts."""
    model = Linear(freedom)

    def curved(params):
        values = params.values.detach().requires_grad_()
        value = loss(values)
        (gradient,) = torch.autograd.grad(value, values)
        curvature = torch.autograd.functional.hessian(lambda v: loss(v) + 0 * (v**2).sum(), values.detach())
        return float(value.detach()), gradient, curvature

    objective = Objective(lambda p: loss(p.values), model, curved=curved)
    return objective, model.start(SPACE, Affine.identity(2), "cpu")


def bowl(values):
    return 0.01 * (CURVATURE * (values - GOAL) ** 2).sum()


def banana(values):
    """Rosenbrock's curved valley; the minimum is at (1, 1)."""
    x, y = values[0], values[1]
    return 0.05 * ((1 - x) ** 2 + 8 * (y - x**2) ** 2)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_it_reaches_the_bottom_of_a_bowl(name):
    objective, start = problem(bowl)
    solution = minimise(objective, start, OPTIMISERS[name], steps=400, unit_mm=1.0, tolerance=0.0)
    assert (solution.params.values - GOAL).norm() < NEAR[name]
    assert solution.loss == pytest.approx(float(bowl(solution.params.values)), abs=1e-12)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_it_follows_a_curved_valley(name):
    objective, start = problem(banana, "translation")
    solution = minimise(objective, start, OPTIMISERS[name], steps=1500, unit_mm=1.0, tolerance=0.0)
    assert (solution.params.values - 1).norm() < NEAR[name]


@every_optimiser
def test_it_does_not_care_about_the_unit_of_the_loss(optimiser):
    objective, start = problem(bowl)
    scaled, _ = problem(lambda values: 1e-3 * bowl(values))
    paths = [minimise(o, start, optimiser, steps=6, unit_mm=1.0).params.values for o in (objective, scaled)]
    assert torch.allclose(*paths, atol=1e-6)


@every_optimiser
def test_its_first_steps_are_measured_in_voxels(optimiser):
    objective, start = problem(bowl)
    short, long = (
        optimiser.step(objective, start, optimiser.init(start, unit))[0].values.norm() for unit in (0.1, 0.2)
    )
    assert float(long) == pytest.approx(2 * float(short), rel=1e-6)
    assert 0.005 < float(short) < 0.5


@every_optimiser
def test_the_loss_it_tells_is_the_one_before_the_step(optimiser):
    objective, params = problem(bowl)
    state = optimiser.init(params, 1.0)
    for _ in range(5):
        new, state, loss = optimiser.step(objective, params, state)
        assert loss == pytest.approx(float(bowl(params.values)), abs=1e-12)
        params = new


@every_optimiser
def test_states_are_values(optimiser):
    objective, params = problem(banana, "translation")
    state = optimiser.init(params, 1.0)
    for _ in range(3):
        params, state, _ = optimiser.step(objective, params, state)
    kept = params.values.clone()
    once = optimiser.step(objective, params, state)
    again = optimiser.step(objective, params, state)
    assert torch.equal(once[0].values, again[0].values)
    assert once[2] == again[2]
    assert torch.equal(params.values, kept)
    after = [optimiser.step(objective, new, new_state)[0].values for new, new_state, _ in (once, again)]
    assert torch.equal(*after)
    with pytest.raises(AttributeError):
        state.loss = 0.0
    with pytest.raises(AttributeError):
        optimiser.anything = 1


@every_optimiser
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 12))
def test_it_is_never_worse_than_its_start(optimiser, seed, steps):
    generator = torch.Generator().manual_seed(seed)
    waves = 2 * torch.randn(5, 6, generator=generator, dtype=torch.float64)

    def hills(values):
        return (torch.sin(waves @ values).sum() + 0.02 * (values**2).sum()) * 0.2

    objective, start = problem(hills)
    start = objective.model.retract(start, torch.randn(6, generator=generator, dtype=torch.float64))
    solution = minimise(objective, start, optimiser, steps=steps, unit_mm=1.0)
    assert solution.loss <= float(hills(start.values)) + 1e-12
    assert solution.loss == pytest.approx(float(hills(solution.params.values)), abs=1e-9)
    assert len(solution.history) <= steps


@every_optimiser
def test_it_stays_at_a_minimum(optimiser):
    objective, start = problem(bowl)
    there = objective.model.retract(start, GOAL)
    solution = minimise(objective, there, optimiser, steps=30, unit_mm=1.0)
    assert torch.equal(solution.params.values, there.values)


@every_optimiser
def test_a_flat_loss_moves_nothing_and_ends_soon(optimiser):
    objective, start = problem(lambda values: 0.0 * values.sum() + 3.0)
    solution = minimise(objective, start, optimiser, steps=200, unit_mm=1.0)
    assert torch.equal(solution.params.values, start.values)
    assert len(solution.history) <= 12
    assert solution.status.ok


@every_optimiser
def test_a_loss_that_ends_in_nothing_is_survived(optimiser):
    """Beyond a cliff the loss is not a number: the best so far is kept."""

    def cliff(values):
        return bowl(values) if float(values.detach().norm()) < 2.0 else values.sum() * math.nan

    objective, start = problem(cliff)
    solution = minimise(objective, start, optimiser, steps=100, unit_mm=1.0)
    assert math.isfinite(solution.loss)
    assert solution.loss < float(bowl(start.values))
    assert float(solution.params.values.norm()) < 2.0


@pytest.mark.parametrize(
    "name", ["gradient-descent", "momentum", "nesterov", "armijo", "wolfe", "l-bfgs", "levenberg-marquardt"]
)
def test_it_knows_when_further_steps_would_not_matter(name):
    optimiser = OPTIMISERS[name]
    objective, params = problem(bowl)
    state = optimiser.init(params, 1.0)
    assert not optimiser.exhausted(state)
    for _ in range(400):
        params, state, _ = optimiser.step(objective, params, state)
        if optimiser.exhausted(state):
            break
    assert optimiser.exhausted(state)
    assert (params.values - GOAL).norm() < 0.05


def test_l_bfgs_needs_few_steps_where_gradient_descent_needs_many():
    objective, start = problem(banana, "translation")
    counts = {}
    for name in ("l-bfgs", "gradient-descent"):
        solution = minimise(objective, start, OPTIMISERS[name], steps=1500, unit_mm=1.0, tolerance=0.0)
        counts[name] = next((i for i, loss in enumerate(solution.history) if loss < 1e-5), math.inf)
    assert counts["l-bfgs"] < 25
    assert counts["l-bfgs"] < counts["gradient-descent"]


def test_every_kind_is_held_to_it():
    assert {type(o) for o in OPTIMISERS.values()} == set(KINDS[optimise.Optimiser])


@every_optimiser
def test_it_tells_how_far_it_moved(optimiser):
    objective, params = problem(bowl)
    state = optimiser.init(params, 1.0)
    for _ in range(3):
        new, state, _ = optimiser.step(objective, params, state)
        moved, told = float((new.values - params.values).norm()), optimiser.last_mm(state)
        assert 0.3 * told <= moved <= 3 * told
        params = new


@pytest.mark.parametrize("name", ["levenberg-marquardt", "l-bfgs"])
def test_second_order_needs_a_handful_of_steps_on_a_bowl(name):
    objective, start = problem(bowl)
    solution = minimise(objective, start, OPTIMISERS[name], steps=40, unit_mm=4.0, tolerance=0.0)
    assert (solution.params.values - GOAL).norm() < 1e-3
    assert len(solution.history) < (6 if name == "levenberg-marquardt" else 25)


@pytest.mark.parametrize("name", ["armijo", "wolfe"])
def test_a_line_search_never_goes_up(name):
    objective, start = problem(banana, "translation")
    history = minimise(objective, start, OPTIMISERS[name], steps=30, unit_mm=1.0, tolerance=0.0).history
    assert all(later < earlier for earlier, later in pairwise(history))
    assert history[-1] < 0.1 * history[0]


def test_a_line_search_comes_back_from_too_far_and_goes_on_from_too_near():
    objective, start = problem(bowl)
    loss, gradient = objective.value_and_gradient(start)
    direction = -gradient / gradient.norm()
    search = partial(searched, objective, start, direction, gradient, loss)
    far = search(100.0, 100.0, wolfe=False)
    assert far.scale < 20
    near = [search(0.01, 100.0, wolfe=wolfe) for wolfe in (False, True)]
    assert near[0].scale == 0.01
    assert near[1].scale > 0.3
    assert near[1].loss < near[0].loss < loss
    assert search(0.01, 0.05, wolfe=True).scale == 0.05, "no farther than allowed"
    assert searched(objective, start, -direction, gradient, loss, 1.0, 1.0, wolfe=False) is None


def test_momentum_gets_through_a_valley_sooner():
    objective, start = problem(banana, "translation")
    counts = {}
    for name in ("gradient-descent", "momentum", "nesterov"):
        history = minimise(objective, start, OPTIMISERS[name], steps=1500, unit_mm=1.0, tolerance=0.0).history
        counts[name] = next((i for i, loss in enumerate(history) if loss < 1e-3), math.inf)
    assert max(counts["momentum"], counts["nesterov"]) < counts["gradient-descent"]


def test_a_line_search_and_momentum_exclude_each_other():
    with pytest.raises(RecipeError, match=r"line search or momentum; got wolfe and 0\.5"):
        GradientDescent(line_search="wolfe", momentum=0.5)


def test_damping_is_for_sums_of_squares():
    objective, start = problem(bowl)
    plain = Objective(objective.loss, objective.model)
    with pytest.raises(RecipeError, match=r"suits a Linear model with MSE or NCC.*affine model: choose LBFGS"):
        minimise(plain, start, LevenbergMarquardt(), steps=3, unit_mm=1.0)


def noisy_problem():
    """A bowl whose every draw has its bottom elsewhere; on the mean it is where it was."""
    objective, start = problem(bowl)

    def redraw(number):
        away = torch.randn(6, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        return lambda p: bowl(p.values - away)

    return Objective(objective.loss, objective.model, redraw=redraw), start


def test_stochastic_steps_average_the_noise_away():
    objective, start = noisy_problem()
    optimiser = StochasticDescent(step_voxels=1.0, patience=5.0)
    solution = minimise(objective, start, optimiser, steps=400, unit_mm=1.0)
    assert len(solution.history) == 400, "a noisy loss tells nothing about convergence"
    assert (solution.params.values - GOAL).norm() < 0.6  # one draw alone is 2.4 away
    assert solution.loss == pytest.approx(float(bowl(solution.params.values)))


def test_stochastic_steps_get_shorter_and_the_start_is_kept_where_they_lead_astray():
    objective, start = noisy_problem()
    optimiser = StochasticDescent(step_voxels=1.0, patience=5.0)
    params, state, moved = start, optimiser.init(start, 1.0), []
    for _ in range(200):
        params, state, _ = optimiser.step(objective, params, state)
        moved.append(optimiser.last_mm(state))
    assert sum(moved[-50:]) < 0.2 * sum(moved[:50])
    there = objective.model.retract(start, GOAL)
    solution = minimise(objective, there, optimiser, steps=3, unit_mm=1.0)
    assert torch.equal(solution.params.values, there.values)

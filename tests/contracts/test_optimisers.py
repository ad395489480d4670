"""What every optimiser promises: it goes down, it stops, and it remembers only what it is handed."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.optimise import LBFGS, Adam, GradientDescent, Linear, Objective, minimise
from pullback.space import Space
from pullback.transforms import Affine

OPTIMISERS = {
    "gradient-descent": GradientDescent(step_voxels=0.5),
    "momentum": GradientDescent(step_voxels=0.5, momentum=0.7),
    "adam": Adam(step_voxels=0.1),
    "l-bfgs": LBFGS(),
}
SPACE = Space.of_array((16, 16))
GOAL = torch.tensor([3.0, -2.0, 1.0, 4.0, -1.0, 2.0], dtype=torch.float64)
CURVATURE = torch.tensor([1.0, 2.0, 5.0, 10.0, 3.0, 1.5], dtype=torch.float64)

NEAR = {"gradient-descent": 0.2, "momentum": 0.2, "adam": 0.3, "l-bfgs": 1e-3}
"""How close each must come to a minimum 1.4 or 6 mm away: first-order steps of a set length circle about it at last."""

every_optimiser = pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)


def problem(loss, freedom="affine"):
    """An objective that looks only at the six (or two) numbers of a linear model, and where it starts."""
    model = Linear(freedom)
    return Objective(lambda p: loss(p.values), model), model.start(SPACE, Affine.identity(2), "cpu")


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


@pytest.mark.parametrize("name", ["gradient-descent", "momentum", "l-bfgs"])
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

"""The loop: it keeps the best, stops when nothing is gained, and survives a loss that is not a number."""

import math

import pytest
import torch

from pullback.optimise import LBFGS, Adam, GradientDescent, Linear, Objective, Optimiser, Status, minimise
from pullback.space import Space
from pullback.transforms import Affine

SPACE = Space.of_array((16, 16))
MODEL = Linear("translation")


class March(Optimiser):
    """Goes one to the right with every step, whatever the loss."""

    def init(self, params, unit_mm):
        return unit_mm

    def step(self, objective, params, state):
        loss, _ = objective.value_and_gradient(params)
        return objective.model.retract(params, torch.tensor([state, 0.0], dtype=torch.float64)), state, loss


def objective(loss):
    return Objective(lambda p: loss(p.values[0]) + 0 * p.values.sum(), MODEL)


def start():
    return MODEL.start(SPACE, Affine.identity(2), "cpu")


def march(loss, steps, **settings):
    return minimise(objective(loss), start(), March(), steps=steps, unit_mm=1.0, **settings)


def test_it_gives_the_best_numbers_seen_not_the_last():
    solution = march(lambda x: (x - 3) ** 2, 8)
    assert float(solution.params.values[0]) == 3.0
    assert solution.loss == 0.0
    assert solution.history == tuple(float((x - 3) ** 2) for x in range(8))


def test_the_numbers_after_the_last_step_count_too():
    solution = march(lambda x: (x - 3) ** 2, 3)
    assert float(solution.params.values[0]) == 3.0
    assert solution.status is Status.max_steps
    assert len(solution.history) == 3


def test_it_ends_when_the_loss_is_flat():
    solution = march(lambda x: 1 + torch.exp(-x), 1000)
    assert solution.status is Status.converged
    assert 10 < len(solution.history) < 30


def test_it_goes_on_while_the_loss_falls():
    assert len(march(lambda x: 10 - 0.01 * x, 50).history) == 50
    assert len(march(lambda x: torch.where(x < 8, x, -x), 50).history) == 50, "a hill of a few steps is climbed"


def test_a_coarser_tolerance_ends_earlier():
    counts = [len(march(lambda x: 1 + torch.exp(-x / 5), 1000, tolerance=t).history) for t in (1e-2, 1e-4, 1e-6)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] < 1000


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_it_with_the_best_so_far(bad):
    solution = march(lambda x: torch.where(x < 3.5, (x - 2) ** 2, x * bad), 20)
    assert solution.status is Status.nonfinite
    assert not solution.status.ok
    assert float(solution.params.values[0]) == 2.0
    assert len(solution.history) == 5


def test_a_first_loss_that_is_no_number_gives_the_start_back():
    begin = start()
    solution = minimise(objective(lambda x: x * math.nan), begin, LBFGS(), steps=5, unit_mm=1.0)
    assert solution.status is Status.nonfinite
    assert solution.params is begin
    assert solution.loss == math.inf


def test_a_last_step_into_nothing_is_told():
    solution = march(lambda x: torch.where(x < 2.5, (x - 2) ** 2, x * math.nan), 3)
    assert solution.status is Status.nonfinite
    assert float(solution.params.values[0]) == 2.0


def test_it_ends_when_the_optimiser_has_nothing_left():
    solution = minimise(
        objective(lambda x: (x - 0.3) ** 2), start(), GradientDescent(), steps=500, unit_mm=1.0, tolerance=0
    )
    assert solution.status is Status.converged
    assert len(solution.history) < 100


def test_it_ends_when_ten_steps_have_moved_nothing_far():
    class Creep(March):
        def last_mm(self, state):
            return 0.01

    def creep(shortest_mm):
        return minimise(objective(lambda x: 1e3 - x), start(), Creep(), steps=50, unit_mm=0.01, tolerance=0,
                        shortest_mm=shortest_mm)  # fmt: skip

    assert len(creep(0.02).history) == 10
    assert creep(0.02).status is Status.converged
    assert len(creep(0.005).history) == 50
    assert len(march(lambda x: 1e3 - x, 50, tolerance=0, shortest_mm=5.0).history) == 50, "not known how far it goes"


def test_who_watches_sees_every_step():
    seen = []
    solution = march(lambda x: -x, 5, watch=lambda step, loss: seen.append((step, loss)))
    assert seen == list(enumerate(solution.history, start=1))


def test_a_watcher_may_stop_it():
    def stop(step, loss):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        march(lambda x: -x, 5, watch=stop)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_a_sentence(status):
    assert status.value[0].isupper()
    assert status.value.endswith(".")
    assert status.ok == (status in (Status.converged, Status.max_steps))


def test_it_ends_where_the_gradient_has_faded():
    def lengths(least_gradient):
        solution = march(lambda x: -torch.tanh(x / 4), 60, tolerance=0, least_gradient=least_gradient)
        return solution.status, len(solution.history)

    assert lengths(0.0) == (Status.max_steps, 60)
    status, steps = lengths(0.01)  # the slope is 1 / cosh^2, which is 0.01 at 3 x 4
    assert status is Status.converged
    assert steps == 13
    assert lengths(0.1)[1] < steps


def test_no_gradient_at_all_is_an_end_too():
    assert len(march(lambda x: 0 * x, 60, tolerance=0, least_gradient=0.01).history) == 1


@pytest.mark.parametrize(("optimiser", "window"), [(Adam(), 30), (Adam(beta1=0.5), 10),
                                                   (GradientDescent(momentum=0.8), 15), (LBFGS(), 10)])  # fmt: skip
def test_the_window_is_as_long_as_an_optimiser_swings(optimiser, window):
    """On a plain no step gains anything."""
    solution = minimise(objective(lambda x: 1 + 1e-9 * x), start(), optimiser, steps=100, unit_mm=1.0, tolerance=1e-4)
    assert len(solution.history) == window + 1


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_adam_is_not_stopped_in_the_middle_of_a_swing(rate):
    solution = minimise(objective(lambda x: (x - 4) ** 2), start(), Adam(rate), steps=500, unit_mm=1.0)
    assert float(solution.params.values[0]) == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize("wall", [0.003, 0.01, 0.03])
def test_a_short_step_across_a_valley_is_no_end(wall):
    """The first steps can only go to the bottom of the valley; those along it need not be short."""
    valley = Objective(lambda p: 200 * (p.values[0] - wall) ** 2 + 0.1 * (p.values[1] - 5) ** 2, MODEL)
    solution = minimise(valley, start(), LBFGS(), steps=60, unit_mm=1.0, tolerance=0)
    assert float(solution.params.values[1]) == pytest.approx(5.0, abs=0.01)
    assert len(solution.history) < 20


@pytest.mark.parametrize(("wall", "most"), [(0.003, 7), (0.3, 4)])
def test_a_length_that_was_too_long_is_mended_by_a_parabola(wall, most):
    """The bottom of a parabola is hit by the second length that is tried, if that is not much too long."""
    looks = []

    def loss(params):
        looks.append(1)
        return 200 * (params.values[0] - wall) ** 2 + 0 * params.values.sum()

    solution = minimise(Objective(loss, MODEL), start(), LBFGS(), steps=60, unit_mm=1.0, tolerance=0)
    assert float(solution.params.values[0]) == pytest.approx(wall, abs=1e-6)
    assert len(looks) <= most


def test_lengths_that_only_rounding_tells_apart_are_not_tried():
    looks = []

    def loss(params):
        looks.append(1)
        x, y = params.values[:2] - 1.3
        return (1000 + torch.cosh(x) + 0.05 * torch.cosh(3 * y)).float()  # its last digit is a step of 0.01

    solution = minimise(Objective(loss, MODEL), start(), LBFGS(), steps=60, unit_mm=1.0, tolerance=0)
    assert solution.params.values.tolist() == pytest.approx([1.3, 1.3], abs=0.01)
    assert len(looks) < 25

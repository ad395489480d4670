import torch
from hypothesis import given
from hypothesis import strategies as st

from pullback.phantom.monotone import Monotone


def random_function(seed, points=400, knots=7):
    draw = torch.Generator().manual_seed(seed)
    steps = torch.rand(knots, points, generator=draw, dtype=torch.float64)
    steps[2] = 0.0  # two knots in one place
    slopes = 0.1 + 2 * torch.rand(knots, points, generator=draw, dtype=torch.float64)
    slopes[0], slopes[-1] = 1.0, 1.0
    x = steps.sum(dim=0) * (1.5 * torch.rand(points, generator=draw, dtype=torch.float64) - 0.2)
    return Monotone(steps.cumsum(dim=0), slopes), x


@given(seed=st.integers(0, 10_000))
def test_the_inverse_is_exact(seed):
    function, x = random_function(seed)
    assert torch.allclose(function.inverse(function(x)), x, atol=1e-12)
    assert torch.allclose(function(function.inverse(x)), x, atol=1e-12)


@given(seed=st.integers(0, 10_000))
def test_it_rises_with_the_slope_it_says(seed):
    function, x = random_function(seed)
    h = 1e-7
    slope = (function(x + h) - function(x - h)) / (2 * h)
    assert (slope > 0).all()
    between_knots = (function.knots - x).abs().amin(dim=0) > 2 * h
    assert torch.allclose(slope[between_knots], function.derivative(x)[between_knots], atol=1e-5)


def test_it_is_the_identity_below_the_first_knot_and_parallel_to_it_above_the_last():
    function = Monotone(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]]))
    assert function(torch.tensor([-5.0])) == -5.0
    assert function(torch.tensor([2.0])) == 3.0
    assert function(torch.tensor([7.0])) == 8.0
    assert function.derivative(torch.tensor([7.0])) == 1.0

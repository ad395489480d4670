"""`exponential` against flows that are known."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError


def test_a_constant_velocity_moves_everything_by_itself(dimension):
    velocity = torch.full((2, dimension, *(5, 6, 7)[:dimension]), 1.25)
    torch.testing.assert_close(ops.exponential(velocity, torch.eye(dimension)), velocity)


def test_a_linear_velocity_flows_by_the_matrix_exponential():
    generator = torch.tensor([[0.1, -0.4], [0.3, -0.2]], dtype=torch.float64)
    at = torch.stack(torch.meshgrid(*(torch.arange(41.0, dtype=torch.float64) - 20,) * 2, indexing="ij"))
    velocity = torch.einsum("ij,jyx->iyx", generator, at)[None]
    expected = torch.einsum("ij,jyx->iyx", torch.linalg.matrix_exp(generator), at)[None] - at
    found = ops.exponential(velocity, torch.eye(2), steps=12)
    inner = (..., slice(12, -12), slice(12, -12))  # the edge is repeated where the flow comes from beyond it
    torch.testing.assert_close(found[inner], expected[inner], atol=2e-3, rtol=0)


def test_no_step_changes_nothing():
    velocity = torch.rand(1, 2, 5, 6)
    torch.testing.assert_close(ops.exponential(velocity, torch.eye(2), steps=0), velocity)


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_integrated_is_refused():
    with pytest.raises(InputError, match=r"one component per axis; got the shape \(1, 3, 4, 5\)"):
        ops.exponential(torch.zeros(1, 3, 4, 5), torch.eye(2))
    with pytest.raises(InputError, match="needs steps >= 0; got -1"):
        ops.exponential(torch.zeros(1, 2, 4, 5), torch.eye(2), steps=-1)

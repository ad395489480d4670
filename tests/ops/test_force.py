"""`force` against its definition: the gradient with respect to a displacement that comes before the warp."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError


def image(shape, seed=0):
    return torch.rand(1, 2, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_the_gradient_of_a_loss_in_a_displacement_applied_first(dimension):
    """A ramp is read without error, so that the force is the exact gradient away from the edge."""
    shape = (6, 7, 8)[:dimension]
    grid = torch.stack(torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in shape], indexing="ij"))
    ramps = torch.tensor([[0.3, -0.7, 0.2], [-0.1, 0.4, 0.9]], dtype=torch.float64)[:, :dimension]
    warped, weight = torch.einsum("ca,a...->c...", ramps, grid)[None], image(shape)
    mix = image((dimension, dimension), seed=1)[0, 0]
    step = torch.zeros(1, dimension, *shape, dtype=torch.float64, requires_grad=True)
    eye = torch.eye(dimension, dimension + 1, dtype=torch.float64)
    (weight * ops.sample(warped, eye, step, mix)).sum().backward()
    inner = (..., *[slice(1, -1)] * dimension)
    assert torch.allclose(ops.force(warped, weight, mix)[inner], step.grad[inner], atol=1e-9)


def test_an_even_image_feels_no_force(dimension):
    shape = (4, 5, 6)[:dimension]
    force = ops.force(torch.ones(1, 1, *shape), torch.ones(1, 1, *shape), torch.eye(dimension))
    assert force.shape == (1, dimension, *shape)
    assert bool((force == 0).all())


def test_shapes_that_disagree_are_refused():
    with pytest.raises(InputError, match="one shape"):
        ops.force(torch.ones(1, 1, 4, 5), torch.ones(1, 1, 5, 4), torch.eye(2))

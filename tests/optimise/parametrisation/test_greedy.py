"""Greedy: a displacement that starts anywhere, and grows by steps that a Gaussian has smoothed."""

import pytest
import torch

from pullback.optimise import Greedy, Params
from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement

SPACE = Space.of_array((30, 40), 1.5)


def test_an_initial_matrix_stays_a_matrix(smooth_field):
    turn = Affine.rigid(12.0, [3.0, 4.0], SPACE.centre)
    model = Greedy()
    transform = model.build(model.start(SPACE, turn, "cpu"))
    assert isinstance(transform, Composite)
    assert torch.equal(transform.parts[0].matrix, turn.matrix)
    assert float(transform.parts[1].field.abs().max()) == 0.0


def test_what_comes_before_an_initial_matrix_becomes_part_of_the_field(smooth_field):
    initial = Affine.rigid(12.0) @ Displacement(smooth_field(SPACE, 2.0), SPACE) @ Affine.translation([1.0, 0.0])
    params = Greedy().start(SPACE, initial, "cpu")
    assert torch.equal(params.initial.matrix, Affine.rigid(12.0).matrix)
    points = SPACE.grid().reshape(-1, 2)
    assert (Greedy().build(params)(points) - initial(points)).abs().max() < 1e-3


def test_smoothing_the_whole_displacement_pulls_it_back_towards_rest():
    sharp = torch.zeros(2, *SPACE.shape)
    sharp[0, 15, 20] = 2.0
    params = Params(sharp, SPACE, Affine.identity(2))
    still = torch.zeros_like(sharp)
    fluid, elastic = Greedy(smooth_total_voxels=0.0), Greedy(smooth_total_voxels=1.0)
    assert torch.allclose(fluid.retract(params, still).values, sharp)
    assert float(elastic.retract(params, still).values.max()) < 0.5
    assert float(elastic.retract(params, still).values.sum()) == pytest.approx(2.0, rel=1e-4)


def test_the_smoothed_gradient_still_goes_downhill():
    """A Gaussian is positive: the inner product of a gradient with its smoothed self is."""
    params = Greedy().start(SPACE, Affine.identity(2), "cpu")
    for seed in range(10):
        gradient = torch.randn(2, *SPACE.shape, generator=torch.Generator().manual_seed(seed))
        smoothed = Greedy(smooth_update_voxels=3.0).precondition(params, gradient)
        assert float((smoothed * gradient).sum()) > 0


def test_length_is_the_farthest_motion():
    step = torch.zeros(2, *SPACE.shape)
    step[:, 3, 4] = torch.tensor([3.0, 4.0])
    assert Greedy().length(step) == 5.0

"""SVF: the flow of the sum of the steps, undone by its opposite."""

import pytest
import torch

from pullback.energy import MSE, Energy, Pair
from pullback.optimise import SVF
from pullback.transforms import Affine, Velocity


def test_it_is_undone_by_the_opposite_velocity(oblique_space, smooth_field, points_inside, dimension):
    space = oblique_space(dimension)
    model = SVF(smooth_total_voxels=0.0)
    params = model.start(space, Affine.identity(dimension), "cpu")
    for seed in range(3):
        params = model.retract(params, smooth_field(space, 2.0, seed=seed))
    transform, points = model.build(params), points_inside(space)
    assert isinstance(transform, Velocity)
    assert float((transform(points) - points).norm(dim=-1).max()) > 1.5
    back = transform.inverse()(transform(points))  # up to what reading the field between voxels costs
    assert float((back - points).norm(dim=-1).max()) < 0.15 * space.finest
    assert float(transform.displacement().jacobian().min()) > 0


def test_the_total_is_smoothed_with_every_step(oblique_space):
    space = oblique_space(2)
    params = SVF().start(space, Affine.identity(2), "cpu")
    spike = torch.zeros(2, *space.shape)
    spike[:, 10, 12] = 1.0
    rough = SVF(smooth_total_voxels=0.0).retract(params, spike).values
    assert torch.equal(rough, spike)
    assert float(SVF(smooth_total_voxels=1.0).retract(params, spike).values.max()) < 0.5


def test_the_composed_gradient_is_the_slope_of_the_loss_at_small_velocities(oblique_space, smooth_field):
    """v + s is a small displacement s before exp(v), to first order: the loss falls as the force says."""
    space = oblique_space(2, (40, 48))
    image = (1 + torch.sin(0.3 * space.grid()[..., 0]) * torch.cos(0.2 * space.grid()[..., 1])).float()[None, None]
    model, energy = SVF(smooth_total_voxels=0.0), Energy(MSE())
    pair = Pair(image, image, space, space, covered=True)
    params = model.retract(model.start(space, Affine.translation([1.5, -1.0]), "cpu"), smooth_field(space, 1.0))
    _, force = energy.loss_and_force(pair, model.build(params))
    step = model.precondition(params, force)
    step = step * (0.05 / model.length(step))
    there, back = (float(energy.loss(pair, model.build(model.retract(params, step, s)))) for s in (1.0, -1.0))
    assert float((force * step).sum()) == pytest.approx((there - back) / 2, rel=0.1)

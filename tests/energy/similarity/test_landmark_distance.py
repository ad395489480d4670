"""LandmarkDistance: squares in units of sigma, straight lines beyond a threshold."""

import pytest
import torch

from pullback.energy import LandmarkDistance

HERE = torch.tensor([[[0.0, 10.0], [0.0, 20.0]]])  # (1, 2, n): two landmarks in the plane
OFF = HERE + torch.tensor([[[3.0, 0.0], [4.0, 1.0]]])  # 5 and 1 mm off


def test_it_is_the_mean_square_in_sigmas():
    assert LandmarkDistance().loss(HERE, HERE).tolist() == [0.0]
    assert LandmarkDistance().loss(HERE, OFF).tolist() == [13.0]
    assert LandmarkDistance(sigma_mm=2.0).loss(HERE, OFF).tolist() == [3.25]


def test_beyond_the_threshold_it_goes_on_straight():
    far = torch.tensor([10.0, 10.01, 20.0]).view(3, 1, 1) * torch.tensor([[[0.6], [0.8]]])
    losses = LandmarkDistance(threshold=10.0).loss(torch.zeros(3, 2, 1), far).tolist()
    assert losses == pytest.approx([100.0, 100.2, 300.0], abs=1e-2)


def test_weights_and_batches():
    weight = torch.tensor([[[1.0, 3.0]]])
    assert LandmarkDistance().loss(HERE, OFF, weight).tolist() == [7.0]
    both = LandmarkDistance().loss(HERE.expand(2, -1, -1), torch.cat([OFF, HERE]))
    assert both.tolist() == [13.0, 0.0]


@pytest.mark.parametrize("threshold", [None, 2.0])
def test_the_gradient_is_that_of_the_loss_and_none_at_the_goal(threshold):
    measure = LandmarkDistance(1.5, threshold)
    warped = OFF.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: measure.loss(HERE.double(), w), warped)
    there = HERE.clone().requires_grad_()
    measure.loss(HERE, there).sum().backward()
    assert float(there.grad.abs().max()) == 0.0

"""Meeting: the energy of two images in the middle does not know which is fixed, and its forces are its slopes."""

import pytest
import torch

from pullback import ops
from pullback.energy import LNCC, MSE, NCC, Bending, Energy
from pullback.energy.meeting import Meeting, Side
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SPACE = Space.of_array((36, 40), 1.5)


def blobs(seed):
    draw = torch.rand(1, 1, *SPACE.shape, generator=torch.Generator().manual_seed(seed))
    smooth = ops.smooth(draw, (2.5, 2.5))
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


def side(seed, weight=None, carry=None):
    return Side(blobs(seed), SPACE, weight, carry or Affine.identity(2))


def meeting(similarity, regulariser=None, weight=None, covered=False):
    return Meeting(Energy(similarity, regulariser, 10.0), side(1), side(2, weight), SPACE, covered)


@pytest.fixture
def halves(smooth_field):
    return tuple(Displacement(smooth_field(SPACE, 1.0, seed=seed), SPACE) for seed in (3, 4))


@pytest.mark.parametrize("similarity", [MSE(), NCC(), LNCC(2)])
@pytest.mark.parametrize("regulariser", [None, Bending()])
def test_swapping_swaps_the_forces_and_nothing_else(similarity, regulariser, halves):
    whole = meeting(similarity, regulariser, weight=(blobs(5) > 0.4).float())
    swapped = Meeting(whole.energy, whole.moving, whole.fixed, SPACE)
    loss, forces = whole.loss_and_forces(*halves)
    other_loss, other_forces = swapped.loss_and_forces(*reversed(halves))
    assert loss == pytest.approx(other_loss, abs=1e-9)
    assert torch.equal(forces, other_forces.flip(0))
    assert float(whole.loss(*halves)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("similarity", [MSE(), NCC()])
@pytest.mark.parametrize("moves", [0, 1])
def test_a_force_is_the_slope_of_the_loss(similarity, moves, halves):
    whole = meeting(similarity, covered=True)
    _, forces = whole.loss_and_forces(*halves)
    step = ops.smooth(forces[moves][None], (2.0, 2.0))[0]
    step = step * (0.05 / ops.largest(step))

    def loss(scale):
        pushed = list(halves)
        pushed[moves] = pushed[moves] @ Displacement(scale * step, SPACE)
        return float(whole.loss(*pushed))

    assert float((forces[moves] * step).sum()) == pytest.approx((loss(1.0) - loss(-1.0)) / 2, rel=0.15)


def test_the_gradient_of_matrices_is_exact(halves):
    """Against differences, for a symmetric similarity: neither image's part is left out."""
    del halves
    whole = meeting(MSE(), covered=True)

    def loss(values):
        shift = torch.eye(3, dtype=torch.float64)
        shift = shift + torch.zeros(3, 3, dtype=torch.float64).index_put(
            (torch.tensor([0, 1]), torch.tensor([2, 2])), values
        )
        return whole.loss(Affine(shift).inverse(), Affine(shift))

    at = torch.tensor([0.31, -0.22], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(at), at)
    for k in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[k] = 0.02
        slope = float(loss(at.detach() + step) - loss(at.detach() - step)) / 0.04
        assert float(gradient[k]) == pytest.approx(slope, rel=0.05)


def test_what_lies_outside_either_image_does_not_count():
    still = (Affine.identity(2), Affine.identity(2))
    away = Meeting(Energy(MSE()), side(1), side(1, carry=Affine.translation([-30.0, 0.0])), SPACE)
    assert away.met(*still) == pytest.approx(0.5, abs=0.02)
    masked = Meeting(Energy(MSE()), side(1), side(1, weight=torch.zeros(1, 1, *SPACE.shape)), SPACE)
    assert masked.met(*still) == 0.0
    same = Meeting(Energy(MSE()), side(1), side(1), SPACE)
    assert same.met(*still) == 1.0
    assert float(same.loss(*still)) == pytest.approx(0.0, abs=1e-9)

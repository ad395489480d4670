"""The energy of a transform on a pair: pull-back, weights from both sides, and nothing from outside."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import MSE, NCC, Bending, Diffusion, Energy, Pair
from pullback.energy.energy import overlap, shared
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Displacement

SPACE = Space.of_array((30, 40), 1.5)


def texture(space, transform=None):
    """A smooth pattern of the world, (1, 1, *shape); seen through a transform where one is given."""
    points = space.grid() if transform is None else transform(space.grid())
    waves = torch.tensor([[0.31, 0.12], [-0.17, 0.23], [0.08, -0.29]], dtype=torch.float64)[:, : space.dimension]
    return (0.5 + torch.sin(points @ waves.T).mean(dim=-1) / 2).to(torch.float32)[None, None]


def pair(fixed_space=SPACE, moving_space=SPACE, transform=None, **weights):
    return Pair(texture(fixed_space, transform), texture(moving_space), fixed_space, moving_space, **weights)


def test_the_true_transform_has_the_least_energy_and_its_inverse_does_not():
    truth = Affine.rigid(7.0, [3.0, -2.0], SPACE.centre)
    two, energy = pair(transform=truth), Energy(MSE())
    at_truth = float(energy.loss(two, truth))
    assert at_truth < 1e-4
    for other in (Affine.identity(2), truth.inverse(), truth @ truth, truth @ Affine.translation([1.0, 0.0])):
        assert float(energy.loss(two, other)) > 10 * at_truth


def test_grids_of_another_spacing_and_place_are_compared_in_mm(oblique_space):
    moving_space = oblique_space(2, (70, 60))
    fixed_space = Space.of_array((20, 25), 2.0)
    there = Affine.translation(moving_space.centre - fixed_space.centre)
    two = Pair(texture(fixed_space, there), texture(moving_space), fixed_space, moving_space)
    assert float(Energy(MSE()).loss(two, there)) < 1e-3


def test_voxels_from_outside_the_moving_image_do_not_count():
    two = pair(transform=Affine.translation([20.0, 0.0]))
    away = Affine.translation([20.0, 0.0])
    assert 0.5 < overlap(two, away) < 0.8
    assert float(Energy(MSE()).loss(two, away)) < 1e-4


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_a_mask_on_either_side_hides_a_distractor(side):
    truth = Affine.translation([3.0, 1.5])
    two = pair(transform=truth)
    data = {"fixed": two.fixed, "moving": two.moving}[side].clone()
    weight = torch.ones_like(data)
    data[..., 5:15, 8:20], weight[..., 5:15, 8:20] = 5.0, 0.0
    broken = replace(two, **{side: data})
    assert float(Energy(MSE()).loss(broken, truth)) > 1.0
    masked = replace(broken, **{f"{side}_weight": weight})
    if side == "fixed":
        assert float(Energy(MSE()).loss(masked, truth)) == pytest.approx(
            float(Energy(MSE()).loss(replace(two, fixed_weight=weight), truth)), abs=1e-6
        )
    else:  # whole voxels: the mask is read where the image is
        whole = Affine.translation([3.0, 1.5])
        assert float(Energy(MSE()).loss(masked, whole)) < 1e-4


def test_weights_are_not_differentiated():
    """A registration must not win by looking away: the gradient is that of the images alone."""
    two = pair(moving_weight=torch.rand(1, 1, *SPACE.shape))
    shift = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    flat = replace(two, moving=torch.full_like(two.moving, 0.3))
    matrix = torch.eye(3, dtype=torch.float64) + torch.nn.functional.pad(shift[:, None], (2, 0, 0, 1))
    (gradient,) = torch.autograd.grad(Energy(MSE()).loss(flat, Affine(matrix)), shift)
    assert float(gradient.abs().max()) == 0.0


@pytest.mark.parametrize("similarity", [MSE(), NCC()])
def test_the_gradient_agrees_with_finite_differences(similarity):
    two = pair(transform=Affine.translation([2.0, -1.0]))
    two = replace(two, fixed=two.fixed.double(), moving=two.moving.double())

    def loss(values):
        matrix = torch.cat([values.view(2, 3), torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64)])
        return Energy(similarity).loss(two, Affine(matrix))

    values = torch.tensor([1.0, 0.0137, 0.319, -0.0211, 1.0, 0.417], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, values, eps=1e-8, atol=1e-5, rtol=1e-5)  # no voxel lands on a kink


def test_the_regulariser_weighs_the_deformation_alone(smooth_field):
    field = smooth_field(SPACE, 2.0)
    bent = Displacement(field, SPACE)
    two, plain = pair(), Energy(MSE())
    stiff = Energy(MSE(), Diffusion(), regulariser_weight=3.0)
    penalty = 3.0 * float(Diffusion().loss(field, SPACE))
    assert float(stiff.loss(two, bent)) == pytest.approx(float(plain.loss(two, bent)) + penalty, rel=1e-5)
    turned = Affine.rigid(9.0) @ bent
    assert float(stiff.loss(two, turned)) == pytest.approx(float(plain.loss(two, turned)) + penalty, rel=1e-5)
    assert float(stiff.loss(two, Affine.rigid(9.0))) == float(plain.loss(two, Affine.rigid(9.0)))
    assert float(Energy(MSE(), Bending(), 0.0).loss(two, bent)) == float(plain.loss(two, bent))


def test_overlap_is_the_share_of_the_fixed_image_and_shared_that_of_the_smaller():
    small = Space.of_array((10, 40), 1.5)  # a third of the rows
    identity = Affine.identity(2)
    assert overlap(pair(SPACE, small), identity) == pytest.approx(1 / 3, abs=0.02)
    assert shared(pair(SPACE, small), identity) == pytest.approx(1.0, abs=0.02)
    assert overlap(pair(small, SPACE), identity) == shared(pair(small, SPACE), identity) == 1.0
    apart = Affine.translation([1000.0, 0.0])
    assert overlap(pair(), apart) == shared(pair(), apart) == 0.0
    half = Affine.translation([30.0, 0.0])
    assert overlap(pair(), half) == shared(pair(), half) == pytest.approx(0.5, abs=0.02)


def test_masks_count_in_the_overlap():
    left, right = torch.zeros(1, 1, *SPACE.shape), torch.zeros(1, 1, *SPACE.shape)
    left[..., :20], right[..., 20:] = 1.0, 1.0
    identity = Affine.identity(2)
    assert shared(pair(fixed_weight=left, moving_weight=right), identity) == 0.0
    assert shared(pair(fixed_weight=left, moving_weight=left), identity) == pytest.approx(1.0)
    dot = torch.zeros(1, 1, *SPACE.shape)
    dot[..., 10:14, 10:14] = 1.0
    assert shared(pair(moving_weight=dot), identity) == pytest.approx(1.0), "a small region is all there is to find"
    assert overlap(pair(moving_weight=dot), identity) == pytest.approx(16 / SPACE.count)


@pytest.mark.parametrize("regulariser", [Diffusion(), Bending()], ids=["diffusion", "bending"])
def test_the_penalty_of_a_spline_is_about_that_of_its_dense_field(regulariser, smooth_field):
    """Its coefficients are judged in the field's stead: the same where they hardly differ from it."""
    control = Space.of_array((18, 22), 3.0)
    spline = BSpline(smooth_field(control, 3.0), control)
    dense = Displacement(spline.displace(control), control)
    energy, bare = Energy(MSE(), regulariser, 5.0), Energy(MSE())
    two = pair()
    found, expected = (float(energy.loss(two, t)) - float(bare.loss(two, t)) for t in (spline, dense))
    assert found == pytest.approx(expected, rel=0.25)
    assert found > 1e-5
    shifted = Affine.translation([0.5, 0.0]) @ spline
    assert float(energy.loss(two, shifted)) - float(bare.loss(two, shifted)) == pytest.approx(found, rel=1e-3)


@pytest.mark.parametrize("regulariser", [None, Diffusion()])
def test_the_force_tells_how_the_energy_falls_under_a_step_that_is_composed(regulariser):
    """Against a finite difference along a smooth step, at a transform far enough from the identity to matter."""
    two, energy = pair(transform=Affine.translation([1.0, -0.5])), Energy(MSE(), regulariser, 0.01)
    points = SPACE.grid()
    waves = torch.tensor([[0.1, 0.05], [0.07, -0.1]], dtype=torch.float64)
    smooth = torch.sin(points @ waves.T).movedim(-1, 0)
    field, step = smooth.float(), torch.zeros(2, *SPACE.shape)
    step[:, 3:-3, 3:-3] = 0.05 * smooth.flip(0).float()[:, 3:-3, 3:-3]  # the slope at the very edge is one-sided
    affine = Affine.rigid(3.0, [0.5, 0.2], SPACE.centre)

    def at(scale):
        moved = Displacement(scale * step, SPACE)
        composed = Displacement(Displacement(field, SPACE).displace(SPACE, moved.field), SPACE)
        return float(energy.loss(replace(two, covered=True), affine @ composed))

    loss, force = energy.loss_and_force(replace(two, covered=True), affine @ Displacement(field, SPACE))
    assert loss == pytest.approx(at(0.0), rel=1e-5)
    assert float((force * step).sum()) == pytest.approx((at(1.0) - at(-1.0)) / 2, rel=0.05)

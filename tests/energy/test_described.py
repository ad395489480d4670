"""Features are computed once, on one grid for both images, wherever and however the moving image is stored."""

from dataclasses import replace

import pytest
import torch

from pullback import ops
from pullback.energy import LNCC, MIND, MSE, Energy, Pair, Term, WeightedSum, described
from pullback.energy.energy import overlap
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SPACE = Space.of_array((44, 52), 1.5)
ENERGY = Energy(MIND())


def texture(space, transform=None, seed=0):
    """Waves of the world, of a few voxels' length, in every direction."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.randn(12, space.dimension, generator=generator, dtype=torch.float64)
    waves = 0.35 * waves / waves.norm(dim=1, keepdim=True)
    points = space.grid() if transform is None else transform(space.grid())
    phases = 6 * torch.rand(12, generator=generator, dtype=torch.float64)
    return (0.5 + torch.sin(points @ waves.T + phases).mean(dim=-1)).float()[None, None]


def about(space, degrees, shift=(0.0, 0.0)):
    return Affine.rigid(degrees, shift, space.centre)


def pair(truth, moving_space=SPACE, **weights):
    """The moving image is inverted: only its structure tells."""
    return Pair(texture(SPACE, truth), 1 - texture(moving_space), SPACE, moving_space, **weights)


def losses(two, truth, at=None):
    """With features, at the truth, and the least of four shifts by three voxels off it."""
    energy, two = described(ENERGY, two, truth if at is None else at)
    off = [Affine.translation(shift) for shift in ([4.5, 0.0], [-4.5, 0.0], [0.0, 4.5], [0.0, -4.5])]
    return float(energy.loss(two, truth)), min(float(energy.loss(two, truth @ shift)) for shift in off)


def test_what_compares_brightness_stays_as_it_is():
    two = pair(about(SPACE, 5.0))
    for similarity in (LNCC(), WeightedSum((Term(MIND()), Term(MSE())))):
        energy = Energy(similarity)
        assert described(energy, two, Affine.identity(2)) == (energy, two)


def test_grids_in_step_are_left_as_they_are():
    truth = Affine.translation([2.3, -1.1])
    energy, two = described(ENERGY, pair(truth), truth)
    assert energy == Energy(MSE())
    assert two.moving_space is SPACE
    assert two.moving_weight is None
    assert torch.equal(two.fixed, ops.mind(texture(SPACE, truth), (1, 1), (2, 2)))
    assert torch.equal(two.moving, ops.mind(1 - texture(SPACE), (1, 1), (2, 2)))


def test_the_rest_of_the_energy_is_kept():
    energy = replace(ENERGY, regulariser_weight=3.0)
    assert described(energy, pair(about(SPACE, 0.0)), Affine.identity(2))[0].regulariser_weight == 3.0


@pytest.mark.parametrize("degrees", [0.0, 50.0, 90.0, 180.0])
def test_turned_images_are_described_alike(degrees):
    truth = about(SPACE, degrees)
    here, off = losses(pair(truth), truth)
    assert here < 0.2 * off


@pytest.mark.parametrize("stored", ["flipped", "permuted", "finer", "oblique"])
def test_how_the_moving_image_is_stored_does_not_matter(stored, oblique_space):
    truth = Affine.translation([1.0, 2.0])
    space = {
        "flipped": SPACE.flip(0),
        "permuted": SPACE.permute((1, 0)),
        "finer": SPACE.resized([n * 2 for n in SPACE.shape]),
        "oblique": oblique_space(2, (70, 80)),
    }[stored]
    if stored == "oblique":
        truth = Affine.translation(space.centre - SPACE.centre)
    here, off = losses(pair(truth, space), truth)
    assert here < 0.2 * off


def test_a_turn_within_a_displacement_is_seen():
    turn = about(SPACE, 40.0)
    field = Displacement(turn.displace(SPACE), SPACE)
    here, off = losses(pair(turn), turn, at=field)
    assert here < 0.2 * off


def test_what_is_not_of_the_moving_image_has_no_weight():
    small, truth = SPACE.crop((10, 12), (38, 40)), about(SPACE, 30.0)
    two = pair(truth, small)
    _, laid = described(ENERGY, two, truth)
    assert overlap(laid, truth) == pytest.approx(overlap(two, truth), abs=0.03)
    weight = torch.ones(1, 1, *small.shape)
    weight[..., :14, :] = 0
    masked = replace(two, moving_weight=weight)
    _, laid = described(ENERGY, masked, truth)
    assert overlap(laid, truth) == pytest.approx(overlap(masked, truth), abs=0.03)


def test_a_much_larger_moving_image_is_cut():
    large = Space.of_array((400, 400), 1.5)
    there = Affine.translation(large.centre - SPACE.centre) @ about(SPACE, 45.0)
    _, laid = described(ENERGY, pair(there, large), there)
    assert all(n <= 3 * m + 2 for n, m in zip(laid.moving_space.shape, SPACE.shape, strict=True))
    here, off = losses(pair(there, large), there)
    assert here < 0.2 * off


def test_a_slice_finds_its_place_in_a_stack():
    stack = Space.of_array((9, 44, 52), (4.0, 1.5, 1.5))
    one = stack.crop((4, 0, 0), (5, 44, 52))
    two = Pair(texture(one), texture(stack), one, stack)
    energy, two = described(ENERGY, two, Affine.identity(3))
    assert two.fixed.shape[1] == two.moving.shape[1] == 12
    here, off = (float(energy.loss(two, Affine.translation([0.0, y, 0.0]))) for y in (0.0, 4.5))
    assert here < 0.2 * off

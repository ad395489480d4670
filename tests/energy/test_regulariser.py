"""Penalties on a deformation: free where they should be, and the same in mm whatever the grid."""

import math

import pytest
import torch

from pullback.energy import Bending, Diffusion
from pullback.space import Space

BOTH = pytest.mark.parametrize("regulariser", [Diffusion(), Bending()], ids=["diffusion", "bending"])


def affine_field(space, seed=0):
    matrix = 0.1 * torch.randn(space.dimension, space.dimension, generator=torch.Generator().manual_seed(seed))
    return torch.einsum("ij,...j->i...", matrix.to(torch.float64), space.grid() - space.centre)


def waves(space, length_mm=40.0):
    """u_x = sin(k x) in world mm, and nothing along the other axes."""
    field = torch.zeros(space.dimension, *space.shape, dtype=torch.float64)
    field[0] = torch.sin(2 * math.pi / length_mm * space.grid()[..., 0])
    return field


@BOTH
def test_moving_everything_alike_costs_nothing(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    field = torch.ones(dimension, *space.shape, dtype=torch.float64) * 7.0
    assert float(regulariser.loss(field, space)) == 0.0


def test_bending_leaves_affine_maps_free_and_diffusion_does_not(dimension, oblique_space):
    space = oblique_space(dimension)
    field = affine_field(space)
    assert float(Bending().loss(field, space)) < 1e-20
    assert float(Diffusion().loss(field, space)) > 1e-3


def test_diffusion_is_the_mean_squared_slope(dimension, oblique_space):
    space = oblique_space(dimension)
    field = affine_field(space)
    slope = torch.stack(
        [(field.select(a + 1, 1) - field.select(a + 1, 0)).flatten(1)[:, 0] for a in range(dimension)], 1
    )
    expected = sum(float((slope[:, a] ** 2).sum()) / space.spacing[a] ** 2 for a in range(dimension))
    assert float(Diffusion().loss(field, space)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("regulariser", "power"), [(Diffusion(), 2), (Bending(), 4)], ids=["diffusion", "bending"])
def test_the_penalty_of_a_wave_is_what_analysis_says_on_every_grid(regulariser, power, dimension):
    """mean |d^n sin(kx)|^2 = k^(2n) / 2."""
    wave = 2 * math.pi / 40.0
    values = []
    for spacing in (0.5, 1.0, 2.0):
        shape = (4,) * (dimension - 1) + (round(80 / spacing),)
        space = Space.of_array(shape, spacing)
        values.append(float(regulariser.loss(waves(space), space)))
    assert values == pytest.approx([wave**power / 2] * 3, rel=0.06)


@BOTH
def test_anisotropic_voxels_do_not_change_the_penalty(regulariser):
    fine, thick = Space.of_array((40, 8, 80), 1.0), Space.of_array((4, 8, 80), (10.0, 1.0, 1.0))
    assert float(regulariser.loss(waves(fine), fine)) == pytest.approx(
        float(regulariser.loss(waves(thick), thick)), rel=1e-6
    )


@BOTH
def test_an_axis_of_one_voxel_is_left_out(regulariser):
    flat, deep = Space.of_array((1, 20, 80)), Space.of_array((20, 80))
    field = waves(flat)
    assert float(regulariser.loss(field, flat)) == pytest.approx(float(regulariser.loss(field[:2, 0], deep)), rel=1e-9)


@BOTH
def test_the_gradient_is_that_of_the_loss(regulariser, dimension, oblique_space):
    space = oblique_space(dimension, (4, 5, 6)[-dimension:])
    field = torch.randn(dimension, *space.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda f: regulariser.loss(f, space), field.requires_grad_())


@BOTH
def test_it_goes_with_the_square_of_the_displacement(regulariser, oblique_space, smooth_field):
    space = oblique_space(3)
    field = smooth_field(space, 2.0)
    assert float(regulariser.loss(3 * field, space)) == pytest.approx(
        9 * float(regulariser.loss(field, space)), rel=1e-4
    )

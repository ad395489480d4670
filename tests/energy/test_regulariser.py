"""Penalties on a deformation: free where they should be, and what analysis says elsewhere."""

import math

import pytest
import torch

from pullback.energy import (
    Bending,
    Curvature,
    Diffusion,
    Elastic,
    Folding,
    Incompressible,
    RegulariserSum,
    RegulariserTerm,
    Sobolev,
    TotalVariation,
)
from pullback.energy.regulariser import penalty
from pullback.energy.regulariser.jacobians import jacobian_where, jacobians
from pullback.errors import InputError, RecipeError
from pullback.space import Space
from pullback.transforms import BSpline, Displacement

BOTH = pytest.mark.parametrize("regulariser", [Diffusion(), Bending()], ids=["diffusion", "bending"])


def linear_field(space, matrix):
    """u(x) = matrix (x - centre)."""
    return torch.einsum("ij,...j->i...", torch.as_tensor(matrix, dtype=torch.float64), space.grid() - space.centre)


def random_matrix(d, seed=0):
    return 0.1 * torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def waves(space, length_mm=40.0):
    """u_x = sin(k x) in world mm, and nothing along the other axes."""
    field = torch.zeros(space.dimension, *space.shape, dtype=torch.float64)
    field[0] = torch.sin(2 * math.pi / length_mm * space.grid()[..., 0])
    return field


@pytest.mark.parametrize("regulariser", [Bending(), Curvature()])
def test_affine_maps_are_free(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    field = linear_field(space, random_matrix(dimension))
    assert float(regulariser.loss(field, space)) < 1e-20
    assert float(Diffusion().loss(field, space)) > 1e-3


def test_diffusion_is_the_mean_squared_slope(dimension, oblique_space):
    space, matrix = oblique_space(dimension), random_matrix(dimension)
    assert float(Diffusion().loss(linear_field(space, matrix), space)) == pytest.approx(
        float((matrix**2).sum()), rel=1e-9
    )


@pytest.mark.parametrize(
    ("regulariser", "expected"),
    [
        (Diffusion(), lambda k: k**2 / 2),
        (Bending(), lambda k: k**4 / 2),
        (Curvature(), lambda k: k**4 / 2),
        (Elastic(shear=2.0, dilation=3.0), lambda k: (2.0 + 3.0 / 2) * k**2 / 2),
        (Sobolev(5.0, order=1), lambda k: (1 + 25 * k**2) / 2),
        (Sobolev(5.0, order=2), lambda k: (1 + 25 * k**2) ** 2 / 2),
    ],
    ids=lambda r: type(r).__name__,
)
def test_the_penalty_of_a_wave_is_what_analysis_says_on_every_grid(regulariser, expected, dimension):
    values = []
    for spacing in (0.5, 1.0, 2.0):
        shape = (4,) * (dimension - 1) + (round(80 / spacing),)
        space = Space.of_array(shape, spacing)
        values.append(float(regulariser.loss(waves(space), space)))
    assert values == pytest.approx([expected(2 * math.pi / 40.0)] * 3, rel=0.06)


@BOTH
def test_anisotropic_voxels_do_not_change_the_penalty(regulariser):
    fine, thick = Space.of_array((40, 8, 80), 1.0), Space.of_array((4, 8, 80), (10.0, 1.0, 1.0))
    assert float(regulariser.loss(waves(fine), fine)) == pytest.approx(
        float(regulariser.loss(waves(thick), thick)), rel=1e-6
    )


@BOTH
def test_it_goes_with_the_square_of_the_displacement(regulariser, oblique_space, smooth_field):
    space = oblique_space(3)
    field = smooth_field(space, 2.0)
    assert float(regulariser.loss(3 * field, space)) == pytest.approx(
        9 * float(regulariser.loss(field, space)), rel=1e-4
    )


def test_an_elastic_body_is_free_to_turn_a_little_and_pays_for_strain(dimension, oblique_space):
    space, matrix, shear, dilation = oblique_space(dimension), random_matrix(dimension), 2.0, 5.0
    turn = matrix - matrix.T
    assert float(Elastic(shear, dilation).loss(linear_field(space, turn), space)) < 1e-15
    strain = matrix + matrix.T
    expected = shear / 4 * (strain**2).sum() + dilation / 2 * torch.trace(matrix) ** 2
    assert float(Elastic(shear, dilation).loss(linear_field(space, matrix), space)) == pytest.approx(float(expected))


def test_an_elastic_body_never_gains_by_being_strained():
    generator = torch.Generator().manual_seed(2)
    for shape in ((3, 4), (3, 2, 4), (2, 2, 2)):
        space = Space.of_array(shape)
        for _ in range(50):
            field = torch.randn(len(shape), *shape, generator=generator, dtype=torch.float64)
            assert float(Elastic().loss(field, space)) > 0


def test_total_variation_counts_a_step_as_a_ramp_and_diffusion_does_not():
    space = Space.of_array((6, 60))
    step, ramp = torch.zeros(2, 6, 60), torch.zeros(2, 6, 60)
    step[0, :, 30:] = 5.0
    ramp[0] = ((torch.arange(60.0) - 24.5) / 10).clamp(0, 1) * 5
    variation = [float(TotalVariation(1e-3).loss(f, space)) for f in (step, ramp)]
    assert variation == pytest.approx([5 / 60, 5 / 60], rel=0.05)
    rough = [float(Diffusion().loss(f, space)) for f in (step, ramp)]
    assert rough[0] > 8 * rough[1]


@pytest.mark.parametrize("scale", [0.4, 0.8, 1.0, 1.3])
def test_volumes_are_what_jacobian_penalties_see(scale, dimension, oblique_space):
    space = oblique_space(dimension)
    field = linear_field(space, (scale - 1) * torch.eye(dimension, dtype=torch.float64))
    j = scale**dimension
    found = [float(Incompressible(m).loss(field, space)) for m in ("log", "difference", "ratio")]  # type: ignore[arg-type]
    floor = 0.1
    log = math.log(j) if j >= floor else math.log(floor) + (j - floor) / floor
    ratio = j + 1 / j - 2 if j >= floor else j + 1 / floor - (j - floor) / floor**2 - 2
    assert found == pytest.approx([log**2, (j - 1) ** 2, ratio], abs=1e-9)
    assert float(Folding(0.5).loss(field, space)) == pytest.approx(max(0, 0.5 - j) ** 2, abs=1e-12)


def test_a_shear_keeps_volumes():
    space = Space.of_array((10, 12, 9))
    field = linear_field(space, [[0.0, 0.5, 0.2], [0.0, 0.0, -0.3], [0.0, 0.0, 0.0]])
    assert float(Incompressible().loss(field, space)) < 1e-20
    assert float(Elastic().loss(field, space)) > 0.1


@pytest.mark.parametrize("regulariser", [Folding(), Incompressible("log"), Incompressible("ratio")])
def test_a_fold_has_a_cost_and_a_way_out(regulariser):
    space = Space.of_array((24, 24))
    depth = 8.0
    field = linear_field(space, -1.6 * torch.eye(2)) * torch.exp(
        -(((space.grid() - space.centre) / depth) ** 2).sum(-1)
    )
    assert float(Displacement(field.float(), space).jacobian().min()) < 0
    for _ in range(400):
        field = field.requires_grad_()
        (gradient,) = torch.autograd.grad(regulariser.loss(field, space), field)
        if float(gradient.abs().max()) == 0:
            break
        field = (field - 0.02 * gradient / gradient.abs().max()).detach()
    assert float(Displacement(field.detach().float(), space).jacobian().min()) > 0


def test_a_sum_weighs_its_terms_and_a_region_holds_where_it_is(smooth_field):
    space = Space.of_array((20, 26), 1.5)
    part = Displacement(smooth_field(space, 3.0), space)
    mask = torch.zeros(1, 1, *space.shape)
    mask[..., :10] = 1.0
    both = RegulariserSum((RegulariserTerm(Bending(), 7.0), RegulariserTerm(Incompressible(), 2.0, within="muscle")))
    found = penalty(both, part, space, {"muscle": mask})
    expected = 7 * Bending().loss(part.field, space) + 2 * Incompressible().loss(part.field, space, mask[0, 0])
    torch.testing.assert_close(found, expected)


def test_a_region_is_carried_to_the_control_points_of_a_spline(smooth_field):
    grid, control = Space.of_array((40, 44)), Space.of_array((12, 13), 4.0)
    spline = BSpline(smooth_field(control, 4.0), control)
    mask = torch.zeros(1, 1, *grid.shape)
    mask[..., :22] = 1.0
    only = RegulariserSum((RegulariserTerm(Diffusion(), 1.0, within="left"),))
    left = torch.zeros(control.shape)
    left[:, :6] = 1.0
    expected = float(Diffusion().loss(spline.coefficients, control, left))
    assert float(penalty(only, spline, grid, {"left": mask})) == pytest.approx(expected, rel=0.1)


def test_what_a_jacobian_penalty_sees_of_a_spline_is_its_displacement(smooth_field):
    grid, control = Space.of_array((40, 44)), Space.of_array((12, 13), 4.0)
    spline = BSpline(smooth_field(control, 4.0), control)
    assert float(penalty(Incompressible(), spline, grid)) == float(Incompressible().loss(spline.displace(grid), grid))
    assert float(penalty(Diffusion(), spline, grid)) == float(Diffusion().loss(spline.coefficients, control))


def test_a_region_without_a_name_or_a_sum_in_a_sum_is_told():
    space = Space.of_array((8, 8))
    part = Displacement(torch.zeros(2, 8, 8), space)
    within = RegulariserSum((RegulariserTerm(Bending(), within="muscle"),))
    with pytest.raises(InputError, match="within 'muscle', but no mask has that name; got 'liver'"):
        penalty(within, part, space, {"liver": torch.ones(1, 1, 8, 8)})
    with pytest.raises(InputError, match="give the region as the weight"):
        within.loss(part.field, space)
    with pytest.raises(RecipeError, match="list all terms in one"):
        RegulariserSum((RegulariserTerm(within),))


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_determinants_at_some_voxels_are_those_of_all(share, dimension, oblique_space, smooth_field):
    for space in (oblique_space(dimension), Space.of_array((1, 9, 8)[-dimension:])):
        field = smooth_field(space, 2.0, dtype=torch.float64)
        wanted = torch.rand(space.shape, generator=torch.Generator().manual_seed(1)) < share
        found = jacobian_where(field, space, wanted)
        torch.testing.assert_close(found, jacobians(field, space)[wanted])

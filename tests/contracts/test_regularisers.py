"""What every regulariser promises: one number in mm, the same however the grid is stored, turned or sampled."""

import math

import pytest
import torch

from pullback.energy import (
    MSE,
    Bending,
    Curvature,
    Diffusion,
    Elastic,
    Energy,
    Folding,
    Incompressible,
    LocalRigidity,
    Pair,
    RegulariserSum,
    RegulariserTerm,
    Sobolev,
    TotalVariation,
)
from pullback.energy.regulariser import deformations, penalty
from pullback.errors import RecipeError
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration import Optimise, Recipe
from pullback.registration.ranges import check_ranges
from pullback.registration.recipe_file import KINDS, energy, read, to_yaml
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Displacement, Velocity

REGULARISERS = {
    "diffusion": Diffusion(),
    "bending": Bending(),
    "curvature": Curvature(),
    "elastic": Elastic(dilation=3.0),
    "total-variation": TotalVariation(knee=0.05),
    "folding": Folding(least_jacobian=0.99),
    "log": Incompressible("log"),
    "difference": Incompressible("difference"),
    "ratio": Incompressible("ratio"),
    "rigid": LocalRigidity(),
    "sobolev-1": Sobolev(6.0, order=1),
    "sobolev-2": Sobolev(6.0),
    "sum": RegulariserSum((RegulariserTerm(Bending(), 20.0), RegulariserTerm(Folding(0.99), 3.0))),
}
every_regulariser = pytest.mark.parametrize("regulariser", REGULARISERS.values(), ids=REGULARISERS)


def waves(space, size=1.0):
    """A displacement that is a formula of world mm, far from zero everywhere, with no axis of its own."""
    d, x = space.dimension, space.grid()
    turns = 2 * math.pi / 40 * torch.tensor([[1.0, 0.4, -0.3], [-0.5, 0.9, 0.6], [0.2, -0.7, 0.8]])[:d, :d]
    return (size * torch.sin(x @ turns.to(x) + 0.3)).movedim(-1, 0)


def test_every_kind_is_held_to_it():
    assert {type(r) for r in REGULARISERS.values()} == set(KINDS[energy.Regulariser])


@every_regulariser
def test_no_displacement_costs_nothing_and_any_other_something(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    assert float(regulariser.loss(torch.zeros(dimension, *space.shape), space)) == 0.0
    assert float(regulariser.loss(waves(space).float(), space)) > 0.0


@every_regulariser
def test_a_shift_costs_nothing_but_where_motion_itself_does(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    found = float(regulariser.loss(torch.full((dimension, *space.shape), 7.0, dtype=torch.float64), space))
    assert found == pytest.approx(49.0 * dimension if isinstance(regulariser, Sobolev) else 0.0, abs=1e-12)


@every_regulariser
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_the_loss(regulariser, weighted, dimension, oblique_space):
    space = oblique_space(dimension, (4, 5, 3)[:dimension])
    generator = torch.Generator().manual_seed(0)
    field = 0.2 * torch.randn(dimension, *space.shape, dtype=torch.float64, generator=generator)
    weight = torch.rand(space.shape, dtype=torch.float64, generator=generator) if weighted else None
    assert torch.autograd.gradcheck(lambda f: regulariser.loss(f, space, weight), field.requires_grad_())


@every_regulariser
def test_it_costs_the_same_on_every_grid(regulariser, dimension):
    """A weight that suits one resolution suits the next: 1.6 mm, half and twice that, and thick slices."""
    spacings = [[1.6] * dimension, [0.8] * dimension, [3.2] + [1.6] * (dimension - 1)]
    found = []
    for steps in spacings:
        space = Space.of_array(tuple(round(32 / mm) for mm in steps), steps)
        space = Space(space.shape, Affine.translation(-space.centre).matrix @ space.matrix)  # one field of view
        found.append(float(regulariser.loss(waves(space, 3.0), space)))
    assert found == pytest.approx([found[0]] * 3, rel=0.12)


@every_regulariser
def test_how_the_axes_are_stored_does_not_matter(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    field = waves(space)
    turned = space.flip(dimension - 1).permute(tuple(reversed(range(dimension))))
    stored = field.flip(dimension).permute(0, *reversed(range(1, dimension + 1)))
    assert torch.allclose(stored, waves(turned))
    assert float(regulariser.loss(stored, turned)) == pytest.approx(float(regulariser.loss(field, space)), rel=1e-9)


@every_regulariser
def test_turning_the_world_does_not_matter(regulariser, dimension):
    space = Space.of_array((9, 12, 10)[:dimension], (2.0, 1.0, 1.5)[:dimension])
    turn = Affine.rigid([20.0, -30.0, 50.0] if dimension == 3 else 35.0)
    field = waves(space)
    turned = torch.einsum("ij,j...->i...", turn.linear, field)
    there = Space(space.shape, turn.matrix @ space.matrix)
    assert float(regulariser.loss(turned, there)) == pytest.approx(float(regulariser.loss(field, space)), rel=1e-9)


@every_regulariser
def test_a_single_slice_is_a_picture(regulariser):
    flat, deep = Space.of_array((1, 20, 30)), Space.of_array((20, 30))
    field = waves(deep)
    slice_ = torch.cat([field, torch.zeros_like(field[:1])])[:, None]
    assert float(regulariser.loss(slice_, flat)) == pytest.approx(float(regulariser.loss(field, deep)), rel=1e-9)


@every_regulariser
def test_an_even_weight_is_no_weight_and_a_region_is_blind_to_the_rest(regulariser):
    space = Space.of_array((24, 30))
    field, other = waves(space), waves(space)
    other[:, :, 16:] = 5 * other[:, :, 16:].flip(1)
    even = torch.full(space.shape, 0.3, dtype=torch.float64)
    left = torch.zeros(space.shape, dtype=torch.float64)
    left[:, :12] = 1.0
    plain = float(regulariser.loss(field, space))
    assert float(regulariser.loss(field, space, even)) == pytest.approx(plain, rel=0.06)
    within = float(regulariser.loss(field, space, left))
    assert within == pytest.approx(float(regulariser.loss(other, space, left)), rel=1e-12)
    assert within != pytest.approx(float(regulariser.loss(other, space)), rel=0.01)
    nothing = regulariser.loss(field, space, torch.zeros(space.shape, dtype=torch.float64))
    assert float(nothing) == 0.0


@every_regulariser
def test_single_precision_will_do(regulariser, dimension, oblique_space):
    space = oblique_space(dimension)
    field = waves(space)
    found, exact = (float(regulariser.loss(f, space)) for f in (field.float(), field))
    assert found == pytest.approx(exact, rel=1e-3)


@every_regulariser
def test_it_can_be_followed_down_whatever_carries_the_deformation(regulariser):
    """A step down the gradient of the penalty lowers it, for a displacement, a flow and a spline."""
    grid = Space.of_array((20, 24), 2.0)
    control = Space.of_array((9, 9), 7.0)
    for kind, name, space in (
        (Displacement, "field", grid),
        (Velocity, "field", grid),
        (BSpline, "coefficients", control),
    ):
        values = waves(space, 2.0).float().requires_grad_()

        def cost(v, kind=kind, name=name, space=space):
            (part,) = deformations(Affine.rigid(5.0) @ kind(**{name: v, "space": space}))
            return penalty(regulariser, part, grid)

        before = cost(values)
        (gradient,) = torch.autograd.grad(before, values)
        after = cost(values.detach() - 1e-3 / gradient.abs().max() * gradient)
        assert float(after) < float(before.detach())


@every_regulariser
@pytest.mark.parametrize("kind", [Displacement, Velocity])
def test_steps_that_are_composed_feel_it(regulariser, kind):
    space = Space.of_array((20, 24), 2.0)
    image = torch.zeros(1, 1, *space.shape)
    pair, field = Pair(image, image, space, space), waves(space, 2.0).float()
    loss, force = Energy(MSE(), regulariser, 2.0).loss_and_force(pair, Affine.identity(2) @ kind(field, space))
    values = field.clone().requires_grad_()
    cost = 2.0 * penalty(regulariser, kind(values, space), space)
    assert loss == pytest.approx(float(cost.detach()), rel=1e-5)
    (expected,) = torch.autograd.grad(cost, values)
    torch.testing.assert_close(force, expected, rtol=1e-4, atol=1e-9)
    before = Displacement(waves(space, 1.0).flip(0).float(), space)  # what was found before stays as it is
    both, same = Energy(MSE(), regulariser, 2.0).loss_and_force(pair, before @ kind(field, space))
    torch.testing.assert_close(same, expected, rtol=1e-4, atol=1e-9)
    assert both == pytest.approx(loss + 2.0 * float(penalty(regulariser, before, space)), rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(REGULARISERS) - {"folding", "log", "difference", "ratio"}))
def test_no_pattern_from_voxel_to_voxel_goes_unseen(name, dimension):
    space = Space.of_array((12,) * dimension)
    board = 0.2 * (-1.0) ** space.grid().sum(dim=-1)
    field = torch.stack([board] * dimension)
    assert float(REGULARISERS[name].loss(field, space)) > 0.01


@every_regulariser
def test_a_recipe_file_holds_it(regulariser, tmp_path):
    stage = Optimise(Greedy(), Energy(MSE(), regulariser, 2.0), GradientDescent(), Schedule((Level(2, 3),)))
    recipe, file = Recipe("r", "d", (stage,)), tmp_path / "recipe.yaml"
    file.write_text(to_yaml(recipe), encoding="utf-8")
    assert read(file) == recipe


@pytest.mark.parametrize(
    ("regulariser", "message"),
    [
        (Elastic(shear=-1.0), r"shear must be at least 0"),
        (LocalRigidity(affinity=-1.0), r"affinity must be at least 0"),
        (TotalVariation(knee=0.0), r"knee must be above 0"),
        (Sobolev(reach_mm=-3.0), r"reach_mm must be above 0"),
        (Folding(least_jacobian=1.5), r"least_jacobian must be above 0 and at most 1; got 1.5"),
        (RegulariserSum((RegulariserTerm(Bending(), -1.0),)), r"terms\[0\].weight must be at least 0"),
        (RegulariserSum(()), r"terms is empty; give at least one"),
    ],
)
def test_numbers_that_cannot_be_are_told(regulariser, message):
    with pytest.raises(RecipeError, match=message):
        check_ranges(regulariser, "regulariser")

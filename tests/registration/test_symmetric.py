"""Symmetric stages: neither image is favoured, and the answer is right."""

import pytest
import torch

from pullback.energy import LNCC, MIND, MSE, NCC, Bending, Diffusion, Energy
from pullback.errors import RecipeError
from pullback.image import Image
from pullback.io import read_image, read_transform
from pullback.optimise import LBFGS, SVF, BSpline, GradientDescent, Greedy, Level, Linear, Schedule, Smoothed
from pullback.registration import Recipe, Symmetric, register
from pullback.registration.recipes import named
from pullback.registration.saved import load
from pullback.registration.symmetric import middle_grid
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Halfway, Velocity, resample
from pullback.transforms.affine import rotation
from pullback.transforms.halfway import halves

ANGLES = {2: 9.0, 3: [6.0, -4.0, 8.0]}
SHIFT = {2: [4.0, -3.0], 3: [4.0, -3.0, 5.0]}
RIGID = Symmetric(Linear("rigid"), Energy(NCC()), LBFGS(), Schedule((Level(4, 30), Level(2, 30)), 1e-6))


def dense(model, similarity=None, shrinks=(4, 2), regulariser=None, weight=0.01):
    energy = Energy(similarity or LNCC(2), regulariser, weight)
    optimiser = LBFGS() if isinstance(model, BSpline) else GradientDescent(0.5)
    return Symmetric(model, energy, optimiser, Schedule(tuple(Level(s, 30) for s in shrinks)))


def both_ways(fixed, moving, *stages):
    recipe = Recipe("test", "symmetric", stages)
    return register(fixed, moving, recipe), register(moving, fixed, recipe)


def gap(there, back, space):
    """The largest |back(there(x)) - x| in voxels."""
    return float(back.displace(space, there.displace(space)).norm(dim=0).max()) / space.finest


@pytest.mark.parametrize("freedom", ["translation", "rigid", "similarity", "affine"])
def test_linear_halves_are_inverse_to_each_other_and_right(freedom, dimension, paint, grid, corner_error):
    truth = Affine.translation(SHIFT[dimension])
    truth = truth if freedom == "translation" else Affine.rigid(ANGLES[dimension], SHIFT[dimension])
    space = grid(dimension)
    schedule = Schedule((Level(4, 30), Level(2, 30), Level(1, 20)), 1e-6)
    stage = Symmetric(Linear(freedom), Energy(NCC()), LBFGS(), schedule)
    there, back = both_ways(paint(space, truth), paint(space), stage)
    assert there.ok
    assert corner_error(there.transform, truth, space) < 0.1 * space.finest
    assert isinstance(there.transform, Affine)
    assert corner_error(back.transform @ there.transform, Affine.identity(dimension), space) < 1e-6


DENSE = {
    "greedy": Greedy(2.5, 0.7),
    "svf": SVF(2.5, 0.7),
    "b-spline": BSpline(5.0),
    "smoothed": Smoothed(Greedy(0.0, 0.5), "gaussian", 8.0),
}


@pytest.mark.parametrize("model", DENSE.values(), ids=DENSE)
def test_rigid_then_dense_the_other_way_round_is_the_inverse(model, paint, grid, smooth_field):
    space = grid(2)
    truth = Affine.rigid(6.0, [3.0, -2.0]) @ Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    there, back = both_ways(paint(space, truth), paint(space), RIGID, dense(model, regulariser=Bending(), weight=1.0))
    inside = space.grid().norm(dim=-1) < 25  # where there is texture
    error = (there.transform.displace(space) - truth.displace(space)).norm(dim=0)[inside]
    assert there.ok
    assert float(error.mean()) < 0.25 * space.finest
    assert gap(there.transform, back.transform, space) < (0.1 if isinstance(model, SVF) else 1e-3)
    assert there.quality.fold_percent == 0


def test_grids_and_masks_that_differ_still_agree(paint, grid, smooth_field):
    fixed_space, moving_space = grid(2, (1.5, 1.1), rotation([20.0], 2)), grid(2, 1.3, mm=80.0)
    truth = Affine.rigid(5.0, [2.0, 3.0]) @ Displacement(smooth_field(fixed_space, 2.0), fixed_space)
    fixed, moving = paint(fixed_space, truth), paint(moving_space)
    mask = Image((moving_space.grid().norm(dim=-1) < 33).float()[None], moving_space)
    recipe = Recipe("test", "symmetric", (RIGID, dense(Greedy(2.5, 0.7))))
    there = register(fixed, moving, recipe, moving_mask=mask)
    back = register(moving, fixed, recipe, fixed_mask=mask)
    inside = fixed_space.grid().norm(dim=-1) < 25
    error = (there.transform.displace(fixed_space) - truth.displace(fixed_space)).norm(dim=0)[inside]
    undone = back.transform.displace(fixed_space, there.transform.displace(fixed_space)).norm(dim=0)[inside]
    assert float(error.mean()) < 0.3
    assert float(undone.max()) < 1e-3


def test_both_images_look_alike_in_the_middle(paint, grid, smooth_field):
    space = grid(2)
    truth = Displacement(smooth_field(space, 4.0, dtype=torch.float64), space)
    fixed, moving = paint(space, truth), paint(space)
    halfway = register(fixed, moving, Recipe("test", "symmetric", (dense(Greedy(2.5, 0.5), shrinks=(2, 1)),))).transform
    assert isinstance(halfway, Halfway)
    here, there = (resample(image, half, halfway.space).data
                   for image, half in ((fixed, halfway.to_fixed), (moving, halfway.to_moving)))  # fmt: skip
    inside = space.grid().norm(dim=-1) < 25
    before = (fixed.data - moving.data).abs()[0][inside].mean()
    assert float((here - there).abs()[0][inside].mean()) < 0.25 * float(before)
    lengths = [float(half.displace(space).norm(dim=0).max()) for half in (halfway.to_fixed, halfway.to_moving)]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.3), "either image goes about half the way"


@pytest.mark.parametrize("similarity", [MIND(), MSE()])
def test_features_and_regularisers_meet_too(similarity, paint, grid, smooth_field):
    space = grid(2)
    truth = Affine.rigid(6.0) @ Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    stage = dense(Greedy(2.5, 0.5), similarity, regulariser=Diffusion())
    there, back = both_ways(paint(space, truth), paint(space), RIGID, stage)
    inside = space.grid().norm(dim=-1) < 25
    before, after = (
        float((t.displace(space) - truth.displace(space)).norm(dim=0)[inside].mean())
        for t in (there.outcomes[0].transform, there.transform)
    )
    assert after < 0.6 * before
    assert gap(there.transform, back.transform, space) < 0.1


def test_a_deformation_found_before_is_kept(paint, grid, smooth_field):
    space = grid(2)
    bent = Displacement(smooth_field(space, 3.0), space)
    image = paint(space)
    still = Symmetric(Greedy(2.0, 0.0), Energy(MSE()), GradientDescent(1e-6, smallest=0.5), Schedule((Level(2, 1),)))
    result = register(image, image, Recipe("test", "symmetric", (still,)), initial=Affine.rigid(3.0) @ bent)
    points = space.grid().reshape(-1, 2)[::37]
    expected = (Affine.rigid(3.0) @ bent)(points)
    assert float((result.transform(points) - expected).norm(dim=-1).max()) < 1e-3


@pytest.mark.parametrize("model", [Greedy(gradient_of="moving"), Linear("affine_without_shear")])
def test_models_that_cannot_be_halved_are_refused(model):
    with pytest.raises(RecipeError, match=r"can be halved: Greedy .* BSpline or Linear"):
        Symmetric(model, Energy(MSE()), GradientDescent(), Schedule((Level(1, 1),)))


def test_samples_are_for_models_of_few_numbers():
    with pytest.raises(RecipeError, match="needs every voxel"):
        Symmetric(Greedy(), Energy(MSE()), GradientDescent(), Schedule((Level(1, 1),)), samples=1000)


def test_images_that_do_not_meet_are_said_to(paint, grid):
    image = paint(grid(2))
    away = Image(image.data, Space(image.space.shape, Affine.translation([500.0, 0.0]).matrix @ image.space.matrix))
    assert register(image, away, Recipe("test", "symmetric", (RIGID,))).status.name == "no_overlap"


def test_the_longitudinal_recipe_is_unbiased(paint, grid, smooth_field):
    space = grid(2)
    truth = Affine.rigid(7.0, [3.0, 2.0]) @ Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    there, back = both_ways(paint(space, truth), paint(space), *named("longitudinal").stages)
    inside = space.grid().norm(dim=-1) < 25
    error = (there.transform.displace(space) - truth.displace(space)).norm(dim=0)[inside]
    assert there.ok
    assert float(error.mean()) < 0.2
    assert gap(there.transform, back.transform, space) < 0.01


def test_a_matrix_is_halved_by_its_root_and_a_half_turn_stays_whole():
    for matrix in (
        Affine.rigid([30.0, 20.0, -50.0], [1.0, 2.0, 3.0], [50.0, 60.0, 70.0]),
        Affine.similarity(1.3, 170.0),
    ):
        to_fixed, to_moving = halves(matrix)
        assert torch.allclose((to_moving @ to_fixed.inverse()).matrix, matrix.matrix, atol=1e-9)
        assert torch.allclose(to_fixed.matrix, to_moving.inverse().matrix, atol=1e-9)
        assert torch.allclose(halves(matrix.inverse())[0].matrix, to_moving.matrix, atol=1e-9)
    half_turn = Affine.rigid(180.0, [3.0, 4.0])
    assert halves(half_turn)[1] is half_turn
    assert torch.equal(halves(half_turn)[0].matrix, torch.eye(3, dtype=torch.float64))


def test_the_middle_grid_does_not_know_which_image_is_fixed(grid, smooth_field):
    to_fixed, to_moving = halves(Affine.about(Affine.rigid(14.0).linear * torch.tensor([1.1, 0.9]), [5.0, 2.0]))
    for one, other in ((grid(2), grid(2)), (grid(2), grid(2, (0.9, 1.0))), (grid(2, 1.0), grid(2, 1.0, mm=90.0))):
        here, there = middle_grid(one, other, to_fixed, to_moving), middle_grid(other, one, to_moving, to_fixed)
        assert here.shape == there.shape
        assert torch.allclose(here.matrix, there.matrix, atol=1e-12)
        axes = here.linear / torch.tensor(here.spacing)
        assert torch.allclose(axes.T @ axes, torch.eye(2, dtype=torch.float64), atol=1e-9)
    bent = Velocity(smooth_field(grid(2), 2.0), grid(2))
    assert middle_grid(grid(2), grid(2), *halves(bent)).same_as(grid(2))


def test_both_halves_are_saved_and_come_back(paint, grid, smooth_field, tmp_path):
    space = grid(2)
    truth = Affine.rigid(6.0) @ Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    result = register(paint(space, truth), paint(space), Recipe("test", "symmetric", (RIGID, dense(Greedy(2.5, 0.7)))))
    result.save(tmp_path / "result")
    back = load(tmp_path / "result", result.fixed, result.moving).transform
    points = space.grid().reshape(-1, 2)[::37]
    assert isinstance(back, Halfway)
    assert float((back(points) - result.transform(points)).norm(dim=-1).max()) < 0.02 * space.finest
    assert float((back.inverse()(back(points)) - points).norm(dim=-1).max()) < 1e-3
    whole = read_transform(tmp_path / "result" / "transform.h5")
    assert float((whole(points) - result.transform(points)).norm(dim=-1).max()) < 0.02 * space.finest
    middle = read_image(tmp_path / "result" / "middle.nii.gz")
    halves_there = [resample(image, half, back.space).data
                    for image, half in ((result.fixed, back.to_fixed), (result.moving, back.to_moving))]  # fmt: skip
    assert torch.allclose(middle.data, sum(halves_there) / 2, atol=0.01)
    register(result.fixed, result.moving, Recipe("test", "symmetric", (RIGID,))).save(tmp_path / "result")
    assert not (tmp_path / "result" / "to_fixed.h5").exists(), "of another result"

"""register: known motions come back with their sign, on any grids; what cannot work says so."""

import math
from dataclasses import dataclass, replace

import pytest
import torch

from pullback.energy import LNCC, MSE, NCC, Energy, MutualInformation
from pullback.energy.similarity import Similarity
from pullback.errors import InputError
from pullback.image import Image
from pullback.optimise import GradientDescent, Greedy, Level, Schedule, Status
from pullback.phantom import make
from pullback.registration import AlignCentres, Optimise, Outcome, Recipe, Stage, register
from pullback.registration.recipes import RECIPES, named
from pullback.space import Space
from pullback.transforms import Affine, Displacement
from pullback.transforms.affine import rotation

SHIFT = {2: [4.7, -3.1], 3: [4.7, -3.1, 5.3]}
ANGLES = {2: [11.0], 3: [8.0, -5.0, 11.0]}
MOTIONS = {
    "shift": ("translation", lambda d: Affine.translation(SHIFT[d])),
    "rotation": ("rigid", lambda d: Affine.rigid(ANGLES[d], SHIFT[d])),
    "scale": ("similarity", lambda d: Affine.similarity(1.12, ANGLES[d], SHIFT[d])),
    "affine": ("affine", lambda d: Affine.about(stretched(d), SHIFT[d])),
}
MEASURES = {"mse": MSE(), "ncc": NCC(), "lncc": LNCC(3), "mutual-information": MutualInformation()}


def stretched(d):
    return rotation(ANGLES[d], d) @ torch.diag(torch.tensor([1.1, 0.93, 1.05][:d], dtype=torch.float64))


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_known_motion_is_recovered(motion, dimension, paint, grid, linear, corner_error):
    freedom, make = MOTIONS[motion]
    truth, space = make(dimension), grid(dimension)
    result = register(paint(space, truth), paint(space), linear(freedom))
    assert result.ok
    assert corner_error(Affine.identity(dimension), truth, space) > 5
    assert corner_error(result.transform, truth, space) < 0.1 * space.finest


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_finds_the_motion(measure, paint, grid, linear, corner_error):
    truth, space = MOTIONS["rotation"][1](2), grid(2)
    result = register(paint(space, truth), paint(space), linear("rigid", MEASURES[measure]))
    assert corner_error(result.transform, truth, space) < 0.1 * space.finest


def test_a_transform_points_from_fixed_to_moving(grid, linear):
    """One bright spot: at +10 mm in the moving image, at the origin in the fixed one."""
    space = grid(2)

    def spot(x, y):
        return Image(torch.exp(-0.02 * (space.grid() - torch.tensor([x, y])).square().sum(dim=-1))[None].float(), space)

    result = register(spot(0.0, 0.0), spot(10.0, -4.0), linear("translation"))
    assert result.transform(torch.zeros(2)).tolist() == pytest.approx([10.0, -4.0], abs=0.05)
    assert torch.allclose(result.warped.data, result.fixed.data, atol=0.02)


def test_swapped_images_give_the_inverse(paint, grid, linear, corner_error):
    truth, space = MOTIONS["rotation"][1](2), grid(2)
    one, other = paint(space, truth), paint(space)
    there, back = register(one, other, linear()), register(other, one, linear())
    assert corner_error(there.transform @ back.transform, Affine.identity(2), space) < 0.1 * space.finest


def test_scaling_mm_scales_the_result(paint, grid, linear):
    truth, space = Affine.translation(SHIFT[2]), grid(2)
    fixed, moving = paint(space, truth), paint(space)
    matrix = torch.diag(torch.tensor([10.0, 10.0, 1.0], dtype=torch.float64)) @ space.matrix
    large = Space(space.shape, matrix)
    small = register(fixed, moving, linear())
    result = register(replace(fixed, space=large), replace(moving, space=large), linear())
    assert torch.allclose(result.transform.matrix[:2, 2], 10 * small.transform.matrix[:2, 2], atol=1e-3)


@pytest.mark.parametrize("name", RECIPES)
def test_identical_images_stay_where_they_are(name):
    image = make("heart", shape=(96, 96), spacing=(2.8, 2.8)).image
    result = register(image, image, named(name))
    motion = result.transform.displace(image.space).norm(dim=0) / image.space.finest
    assert result.ok
    assert float(motion.max()) < 0.25
    assert float(motion.mean()) < 0.05
    assert result.quality.fold_percent == 0


@pytest.mark.parametrize("name", ["rigid", "affine"])
def test_the_recipes_that_come_with_it_find_a_motion(name, dimension, paint, grid, corner_error):
    truth, space = Affine.rigid(ANGLES[dimension], SHIFT[dimension]), grid(dimension)
    result = register(paint(space, truth), paint(space), named(name))
    assert result.ok
    assert corner_error(result.transform, truth, space) < 0.1 * space.finest


@pytest.mark.parametrize("name", ["deformable", "fast", "cardiac-sax"])
def test_a_smooth_deformation_is_recovered(name, paint, grid, smooth_field):
    space = grid(2)
    truth = Displacement(smooth_field(space, 4.0, dtype=torch.float64), space)
    result = register(paint(space, truth), paint(space), named(name))
    error = (result.transform.displace(space) - truth.field).norm(dim=0)
    inside = (space.grid().norm(dim=-1) < 25).to(error)  # where there is texture
    before = float((truth.field.norm(dim=0) * inside).sum() / inside.sum())
    after = float((error * inside).sum() / inside.sum())
    assert result.ok
    assert after < 0.3 * before
    assert after < 0.6 * space.finest


def test_grids_of_different_spacing_place_and_direction(dimension, paint, grid, linear, corner_error):
    truth = Affine.rigid(ANGLES[dimension], SHIFT[dimension])
    turn = rotation([25.0] if dimension == 2 else [15.0, 30.0, -20.0], dimension)
    spacings = {2: (1.0, 1.7), 3: (4.0, 2.2, 2.7)}[dimension]
    fixed_space, moving_space = grid(dimension, spacings, turn), grid(dimension, mm=80.0)
    result = register(paint(fixed_space, truth), paint(moving_space), linear())
    assert corner_error(result.transform, truth, fixed_space) < 0.1 * fixed_space.finest


def test_a_single_slice_moves_in_its_plane(paint, grid, linear, dense, corner_error):
    flat, truth = grid(2), Affine.rigid(ANGLES[2], SHIFT[2])
    fixed, moving = paint(flat, truth), paint(flat)
    matrix = torch.zeros(4, 4, dtype=torch.float64)
    matrix[:2, 1:], matrix[2, 0], matrix[3, 3] = flat.matrix[:2], 8.0, 1.0
    deep = Space((1, *flat.shape), matrix)
    for recipe in (linear(), dense()):
        expected = register(fixed, moving, recipe).transform
        result = register(Image(fixed.data[:, None], deep), Image(moving.data[:, None], deep), recipe)
        field = result.transform.displace(deep)
        assert float(field[2].abs().max()) < 1e-4
        assert float((field[:2, 0] - expected.displace(flat)).abs().max()) < 0.02


def test_an_initial_transform_is_where_it_starts(paint, grid, linear, corner_error):
    truth, space = Affine.rigid(130.0, [6.0, 2.0]), grid(2)
    fixed, moving = paint(space, truth), paint(space)
    alone = register(fixed, moving, linear())
    assert corner_error(alone.transform, truth, space) > 5, "too far to be found without"
    near = Affine.rigid(124.0, [4.0, 5.0])
    result = register(fixed, moving, linear(), initial=near)
    assert corner_error(result.transform, truth, space) < 0.1 * space.finest


def test_an_initial_deformation_is_kept_and_added_to(paint, grid, linear, dense, smooth_field, corner_error):
    space = grid(2)
    bent = Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    shift = Affine.translation([2.0, -1.5])
    fixed, moving = paint(space, bent @ shift), paint(space)
    result = register(fixed, moving, linear("translation"), initial=bent)
    points = space.grid().reshape(-1, 2)[::53]
    assert float((result.transform(points) - (bent @ shift)(points)).norm(dim=-1).max()) < 0.1 * space.finest
    both = register(fixed, moving, dense(steps=3), initial=bent @ shift)
    assert float((both.transform(points) - (bent @ shift)(points)).norm(dim=-1).max()) < 0.2 * space.finest


def distracted(image, where):
    """The image with a bright square that is not anatomy, and the mask that leaves it out."""
    data, mask = image.data.clone(), torch.ones_like(image.data)
    data[where], mask[where] = 3.0 * float(data.max()), 0.0
    return Image(data, image.space), Image(mask, image.space)


@pytest.mark.parametrize("measure", MEASURES)
def test_masks_on_both_sides_hide_what_does_not_count(measure, paint, grid, linear, corner_error):
    truth, space = Affine.rigid(6.0, [4.0, -3.0]), grid(2)
    fixed, fixed_mask = distracted(paint(space, truth), (slice(None), slice(10, 26), slice(12, 26)))
    moving, moving_mask = distracted(paint(space), (slice(None), slice(34, 48), slice(32, 50)))
    recipe = linear("rigid", MEASURES[measure])
    without = register(fixed, moving, recipe)
    masked = register(fixed, moving, recipe, fixed_mask=fixed_mask, moving_mask=moving_mask)
    near, far = corner_error(masked.transform, truth, space), corner_error(without.transform, truth, space)
    assert masked.ok
    assert near < (0.5 if measure == "mse" else 0.1) * space.finest  # their grey scales are those of different regions
    assert far > near
    assert far > 0.5 * space.finest or measure in ("lncc", "mutual-information"), "the distractors do distract"


def test_what_a_mask_hides_does_not_matter_at_all(paint, grid, linear, corner_error):
    """Whatever stands under a mask, also at coarse levels, and also as the darkest or brightest of the image."""
    truth, space = Affine.rigid(6.0, [4.0, -3.0]), grid(2)
    hole = (slice(None), slice(10, 26), slice(12, 26))
    fixed, mask = distracted(paint(space, truth), hole)
    results = []
    for value in (-50.0, 0.5, 1e4):
        data = fixed.data.clone()
        data[hole] = value
        results.append(register(Image(data, space), paint(space), linear(), fixed_mask=mask).transform)
    assert corner_error(results[0], results[1], space) < 1e-6
    assert corner_error(results[0], results[2], space) < 1e-6


def test_a_mask_may_be_small(paint, grid, linear, corner_error):
    truth, space = Affine.translation([2.0, -1.0]), grid(2)
    mask = (space.grid().norm(dim=-1) < 8).float()[None]
    small = Image(mask, space)
    assert float(mask.mean()) < 0.05
    result = register(paint(space, truth), paint(space), linear("translation"), fixed_mask=small, moving_mask=small)
    assert result.ok
    assert corner_error(result.transform, truth, space) < 0.2 * space.finest


def test_several_channels_help_each_other(paint, grid, linear, corner_error):
    """One channel shows stripes along x, the other along y: only together do they fix both directions."""
    truth, space = Affine.translation([3.0, -2.0]), grid(2)

    def stripes(points):
        bump = torch.exp(-0.5 * (points / 6.0) ** 2)
        return Image(bump.movedim(-1, 0).float(), space)

    fixed, moving = stripes(truth(space.grid())), stripes(space.grid())
    for measure in (MSE(), NCC(), LNCC(4)):
        result = register(fixed, moving, linear("translation", measure))
        assert corner_error(result.transform, truth, space) < 0.1 * space.finest
    half = [Image(image.data[:1], space) for image in (fixed, moving)]
    one = register(*half, linear("translation"))
    assert float(one.transform.matrix[0, 2]) == pytest.approx(3.0, abs=0.1)
    assert abs(float(one.transform.matrix[1, 2])) < 0.5, "along the stripe there is nothing to see"


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_takes_channels_of_different_contrast(measure, paint, grid, linear, corner_error):
    truth, space = Affine.rigid(5.0, [3.0, -2.0]), grid(2)

    def both(transform, gain=1.0):
        layers = [paint(space, transform, seed=seed).data for seed in (0, 1)]
        return Image(torch.cat([gain * layers[0], 5.0 - layers[1]]), space)

    result = register(both(truth), both(None, gain=3.0), linear("rigid", MEASURES[measure]))
    assert corner_error(result.transform, truth, space) < 0.1 * space.finest


def test_centres_are_aligned_first_when_a_recipe_says_so(paint, grid, linear, corner_error):
    space = grid(2)
    far = Affine.translation([1000.0, -400.0])
    moving_space = Space(space.shape, far.matrix @ space.matrix)
    fixed, moving = paint(space), Image(paint(space).data, moving_space)
    result = register(fixed, moving, linear(centres=True))
    assert result.ok
    assert corner_error(result.transform, far, space) < 0.1 * space.finest
    with_mse = register(fixed, moving, linear("rigid", MSE(), centres=True))
    assert with_mse.ok, "where images do not meet there is no loss that could have been better"


def test_images_far_apart_have_no_overlap(paint, grid, linear):
    space = grid(2)
    away = Space(space.shape, Affine.translation([1000.0, 0.0]).matrix @ space.matrix)
    result = register(paint(space), Image(paint(space).data, away), linear())
    assert result.status is Status.no_overlap
    assert not result.ok
    assert "overlap" in result.message
    assert "--initial" in result.message
    assert torch.equal(result.transform.matrix, torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("measure", ["ncc", "lncc"])
def test_opposed_contrast_is_not_taken_for_success(measure, paint, grid, linear, dense):
    truth, space = Affine.translation([3.0, -2.0]), grid(2)
    fixed, moving = paint(space, truth), paint(space)
    negative = Image(float(moving.data.max()) - moving.data, space)
    found = linear("translation", MutualInformation()).stages
    recipe = Recipe("two", "for tests", (*found, *dense(MEASURES[measure], steps=1).stages))
    result = register(fixed, negative, recipe)
    assert result.quality.loss_after > 1
    assert result.status is Status.diverged
    assert "multimodal" in result.message
    assert register(fixed, moving, recipe).ok


@dataclass(frozen=True)
class Stray(Stage):
    """A stage that goes astray."""

    @property
    def name(self):
        return "stray"

    def run(self, fixed, moving, initial, watch=None):
        return Outcome(self.name, initial @ Affine.translation([9.0, 7.0]), Status.converged)


def test_a_result_less_alike_than_the_start_has_diverged(paint, grid):
    space = grid(2)
    result = register(paint(space), paint(space), Recipe("stray", "for tests", (Stray(),)))
    assert result.status is Status.diverged
    assert result.quality.loss_after > result.quality.loss_before


@dataclass(frozen=True)
class Broken(Similarity):
    """A measure that breaks down as soon as images are alike."""

    def loss(self, fixed, warped, weight=None):
        value = MSE().loss(fixed, warped, weight)
        return value if float(value.detach()) > 0.01 else value * math.nan


def test_a_loss_that_is_no_number_ends_the_registration_with_the_best_so_far(paint, grid, linear):
    truth, space = Affine.translation([6.0, -5.0]), grid(2)
    fixed, moving = paint(space, truth), paint(space)
    recipe = linear("translation", Broken(), shrinks=(1,))
    descent = replace(recipe.stages[0], optimiser=GradientDescent(step_voxels=0.5))
    result = register(fixed, moving, replace(recipe, stages=(descent, descent)))
    assert result.status is Status.nonfinite
    assert len(result.outcomes) == 1, "later stages do not run"
    assert torch.isfinite(result.transform.matrix).all()
    assert 0.5 < float(result.transform.matrix[:2, 2].norm()) < 8


def test_a_deformation_that_folds_is_told(grid):
    """Half of the image may only be copied from the other half mirrored: no smooth map does that without a fold."""
    space = grid(2)
    fields = torch.zeros(2, *space.shape)
    fields[0] = -2 * space.grid()[..., 0].float() * (space.grid()[..., 1] > 0)
    start = Displacement(fields, space)
    image = Image(torch.rand(1, *space.shape, generator=torch.Generator().manual_seed(0)), space)
    stay = Optimise(Greedy(0.0, 0.0), Energy(MSE()), GradientDescent(step_voxels=0.01), Schedule((Level(1, 1),)))
    result = register(image, image, Recipe("stay", "for tests", (stay,)), initial=start)
    assert result.status is Status.folded
    assert result.quality.fold_percent > 0.5
    assert result.quality.jacobian_min <= 0
    assert "folds" in result.message


def test_quality_tells_what_was_gained(paint, grid, linear):
    truth, space = Affine.translation([10.0, 0.0]), grid(2)
    quality = register(paint(space, truth), paint(space), linear("translation")).quality
    assert quality.loss_after < 0.01 < quality.loss_before
    assert quality.overlap == pytest.approx(1 - 10 / 72, abs=0.03)
    assert quality.displacement_mm == pytest.approx(10.0, abs=0.1)
    assert (quality.jacobian_min, quality.jacobian_max) == pytest.approx((1.0, 1.0), abs=1e-4)


def test_the_same_input_gives_the_same_bits(paint, grid, smooth_field):
    space = grid(2)
    truth = Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    fixed, moving = paint(space, truth), paint(space)
    for name in RECIPES:
        one, two = (register(fixed, moving, named(name)) for _ in range(2))
        assert torch.equal(one.transform.displace(space), two.transform.displace(space))
        assert [o.history for o in one.outcomes] == [o.history for o in two.outcomes]


@pytest.mark.parametrize("kind", ["linear", "dense"])
def test_the_number_of_threads_does_not_matter(kind, dimension, paint, grid, linear, dense):
    truth, space = Affine.rigid(ANGLES[dimension], SHIFT[dimension]), grid(dimension)
    fixed, moving = paint(space, truth), paint(space)
    quick = linear("rigid", MutualInformation(), shrinks=(2,)) if kind == "linear" else dense(LNCC(2), (2,), steps=10)
    fields, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            fields.append(register(fixed, moving, quick).transform.displace(space))
    finally:
        torch.set_num_threads(before)
    assert float(fields[0].norm(dim=0).max()) > 1
    assert float((fields[0] - fields[1]).norm(dim=0).max()) < 1e-4


def test_who_watches_sees_the_work_from_nothing_to_all(paint, grid, linear, dense):
    space, seen = grid(2), []
    recipe = Recipe("two", "for tests", (AlignCentres(), *linear().stages, *dense(steps=5).stages))
    register(paint(space, Affine.translation([3.0, 1.0])), paint(space), recipe, watch=seen.append)
    shares = [step.share for step in seen]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    assert {step.stage for step in seen} == {"rigid", "deformable"}
    assert all(1 <= s.step <= s.steps and 1 <= s.level <= s.levels and math.isfinite(s.loss) for s in seen)


def test_inputs_are_not_changed(paint, grid, dense):
    space = grid(2)
    fixed, moving = paint(space, Affine.translation([2.0, 0.0])), paint(space)
    kept = fixed.data.clone(), moving.data.clone()
    register(fixed, moving, dense(steps=3))
    assert torch.equal(fixed.data, kept[0])
    assert torch.equal(moving.data, kept[1])


def test_any_numeric_range_will_do(paint, grid, linear, corner_error):
    truth, space = Affine.rigid(6.0, [4.0, -3.0]), grid(2)
    fixed, moving = paint(space, truth), paint(space)
    plain = register(fixed, moving, linear()).transform
    huge = register(Image(fixed.data * 1e6 - 3e5, space), Image(moving.data * 1e-3 + 7, space), linear()).transform
    assert corner_error(plain, huge, space) < 0.01 * space.finest


def test_bad_input_is_an_exception(paint, grid, linear):
    with pytest.raises(InputError, match="fixed is 2D but moving is 3D"):
        register(paint(grid(2)), paint(grid(3)), linear())


def test_an_image_with_itself_has_nothing_left_to_gain():
    image = make("pair", shape=(64, 64), spacing=(4.2, 4.2)).fixed
    result = register(image, image, named("deformable"))
    assert result.status is Status.converged
    assert result.quality.displacement_mm < 0.5

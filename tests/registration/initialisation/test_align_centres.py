"""AlignCentres: the best of a few translations, and only as far as it must."""

import pytest
import torch

from pullback.energy import MSE
from pullback.image import Image
from pullback.optimise import Status
from pullback.registration import AlignCentres, Prepare, Prepared
from pullback.registration.initialisation.align_centres import centre_of_mass, principal_axes
from pullback.space import Space
from pullback.transforms import Affine
from pullback.transforms.affine import rotation


def run(fixed, moving, stage=None, initial=None, **masks):
    f, m = Prepare().pair(fixed, moving, masks.get("fixed_mask"), masks.get("moving_mask"), "cpu")
    return (stage or AlignCentres()).run(f, m, initial or Affine.identity(fixed.dimension))


def moved(image, transform):
    """The same voxels at another place in the world: an image whose answer is the transform."""
    return Image(image.data, Space(image.space.shape, transform.matrix @ image.space.matrix))


def test_images_that_agree_in_their_headers_are_left_alone(dimension, paint, grid):
    space = grid(dimension)
    noise = 0.05 * torch.rand(1, *space.shape, generator=torch.Generator().manual_seed(0))
    outcome = run(paint(space), Image(paint(space).data + noise, space))
    assert outcome.status is Status.converged
    assert torch.equal(outcome.transform.matrix, torch.eye(dimension + 1, dtype=torch.float64))
    assert outcome.notes == ("started from: header",)


def test_headers_that_know_nothing_of_each_other_are_set_right(dimension, paint, grid):
    fixed, away = paint(grid(dimension)), Affine.translation([500.0, -800.0, 300.0][:dimension])
    outcome = run(fixed, moved(fixed, away))
    assert torch.allclose(outcome.transform.matrix, away.matrix, atol=1e-6)
    assert outcome.notes[0] in ("started from: field of view", "started from: mass")


def test_anatomy_off_the_middle_is_found_by_its_mass(paint, grid):
    space, truth = grid(2, mm=120.0), Affine.translation([26.0, -22.0])
    outcome = run(paint(space, truth), paint(space))
    assert outcome.notes == ("started from: mass",)
    assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=2.0)


def test_a_mask_says_where_the_mass_is(paint, grid):
    """A bright table beside the patient draws the centre of mass away; a mask leaves it out."""
    space, truth = grid(2, mm=120.0), Affine.translation([26.0, -22.0])
    fixed, moving, ones = paint(space, truth), paint(space), torch.ones(1, *space.shape)
    fixed.data[0, -14:] = 10.0
    masks = {"fixed_mask": Image(ones.clone(), space), "moving_mask": Image(ones, space)}
    masks["fixed_mask"].data[0, -14:] = 0.0
    only_mass = AlignCentres(starts=("mass",))
    near, far = run(fixed, moving, only_mass, **masks), run(fixed, moving, only_mass)
    assert torch.allclose(near.transform.matrix, truth.matrix, atol=2.0)
    assert float((far.transform.matrix - truth.matrix).abs().max()) > 5


def test_the_mask_of_a_region_in_one_image_does_not_draw_the_masses_apart(paint, grid):
    """The mass of a corner is nowhere near that of the whole."""
    space = grid(2, mm=120.0)
    image, corner = paint(space), Image(torch.zeros(1, *space.shape), space)
    corner.data[0, :40, :40] = 1.0
    stage = AlignCentres(starts=("mass", "header"), least_overlap=0.0, margin=0.9)
    outcome = run(image, image, stage, fixed_mask=corner)
    assert outcome.notes == ("started from: header",)
    assert run(image, image, stage).notes == ("started from: mass",)


def test_principal_axes_turn_with_the_image():
    space = Space.of_array((30, 40, 50), 2.0)
    at = (space.grid() - space.centre) / torch.tensor([8.0, 14.0, 24.0], dtype=torch.float64)
    data = torch.exp(-0.5 * at.square().sum(dim=-1))[None].float()
    turn = rotation([20.0, -35.0, 50.0], 3)
    matrix = space.matrix.clone()
    matrix[:3] = turn @ matrix[:3]
    still, moved = (principal_axes(Prepared(data[None], s)) for s in (space, Space(space.shape, matrix)))
    expected = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=torch.float64)
    assert torch.allclose(still.abs(), expected, atol=0.02)
    assert torch.allclose((moved.T @ turn @ still).abs(), torch.eye(3, dtype=torch.float64), atol=0.02)
    assert float(torch.linalg.det(moved)) > 0


def test_it_improves_on_an_initial_transform(paint, grid):
    fixed, turn = paint(grid(2)), Affine.rigid(90.0, [300.0, 40.0])
    outcome = run(fixed, moved(fixed, turn), initial=Affine.rigid(90.0))
    points = fixed.space.grid().reshape(-1, 2)[::97]
    assert torch.allclose(outcome.transform(points), turn(points), atol=1e-6)


def test_where_nothing_overlaps_it_says_so(paint, grid):
    fixed = paint(grid(2))
    outcome = run(fixed, moved(fixed, Affine.translation([900.0, 0.0])), AlignCentres(starts=("header",)))
    assert outcome.status is Status.no_overlap
    assert torch.equal(outcome.transform.matrix, torch.eye(3, dtype=torch.float64))


def test_an_earlier_start_is_kept_unless_a_later_one_is_clearly_better(paint, grid):
    space, truth = grid(2), Affine.translation([9.0, -7.0])
    fixed, moving = paint(space, truth), paint(space)
    eager, slow = AlignCentres(margin=0.0), AlignCentres(margin=0.9)
    assert run(fixed, moving, eager).notes == ("started from: mass",)
    assert run(fixed, moving, slow).notes == ("started from: header",)


def test_starts_may_be_compared_by_any_measure(paint, grid):
    space, truth = grid(2), Affine.translation([9.0, -7.0])
    outcome = run(paint(space, truth), paint(space), AlignCentres(similarity=MSE()))
    assert torch.allclose(outcome.transform.matrix, truth.matrix, atol=2.0)


def test_the_centre_of_mass_is_in_world_mm(dimension, oblique_space):
    space = oblique_space(dimension)
    data = torch.zeros(1, 1, *space.shape)
    index = (3, 5, 7)[:dimension]
    data[(0, 0, *index)] = 2.0
    assert torch.allclose(centre_of_mass(data, None, space), space.to_world(torch.tensor(index, dtype=torch.float64)))
    assert torch.allclose(centre_of_mass(0 * data, None, space), space.centre), "of nothing it is the middle"


def test_a_weight_moves_the_centre_of_mass():
    space = Space.of_array((5, 9))
    weight = torch.zeros(1, 1, 5, 9)
    weight[..., 2, 7] = 1.0
    assert centre_of_mass(torch.ones(1, 1, 5, 9), weight, space).tolist() == pytest.approx([-7.0, -2.0])

"""Symmetric stages of many terms: further images, masks of both sides, regions and landmarks meet in the middle."""

import pytest
import torch

from pullback.energy import LNCC, MSE, NCC, Diffusion, Energy, LandmarkDistance, Landmarks, Term, WeightedSum
from pullback.energy import RegulariserSum as Sum
from pullback.energy import RegulariserTerm as Weighed
from pullback.energy.meetings import LandmarkMeeting, meetings
from pullback.errors import InputError
from pullback.image import Image, Points
from pullback.optimise import LBFGS, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.registration import Recipe, Symmetric, register
from pullback.registration.further import Further
from pullback.transforms import Affine, Displacement

SCHEDULE = Schedule((Level(4, 30), Level(2, 30)))


def recipe(similarity, model=None, regulariser=None, weight=1.0):
    model = model or Greedy(2.5, 0.7)
    optimiser = GradientDescent(0.5) if isinstance(model, Greedy) else LBFGS()
    return Recipe(
        "test", "symmetric", (Symmetric(model, Energy(similarity, regulariser, weight), optimiser, SCHEDULE),)
    )


def flat(space):
    """An image that says next to nothing: a slope, which no motion within it improves."""
    return Image((space.grid() @ torch.tensor([0.01, 0.02], dtype=torch.float64)).float()[None], space)


def error(transform, truth, space):
    inside = space.grid().norm(dim=-1) < 25  # where there is texture
    return float((transform.displace(space) - truth.displace(space)).norm(dim=0)[inside].mean())


@pytest.fixture
def bent(paint, grid, smooth_field):
    space = grid(2)
    truth = Displacement(smooth_field(space, 3.0, dtype=torch.float64), space)
    return paint(space, truth), paint(space), truth


def gap(there, back, space):
    points = space.grid()[4:-4:5, 4:-4:5].reshape(-1, 2)
    return float((back(there(points)) - points).norm(dim=-1).max())


@pytest.mark.parametrize("model", [Greedy(2.5, 0.7), BSpline(6.0)])
def test_further_images_lead_where_the_two_say_nothing(model, bent):
    fixed, moving, truth = bent
    space = fixed.space
    terms = recipe(WeightedSum((Term(MSE(), 0.1), Term(LNCC(2), 1.0, images="other"))), model)
    here, there = flat(space), flat(space)
    result = register(here, there, terms, further=Further(also={"other": (fixed, moving)}))
    back = register(there, here, terms, further=Further(also={"other": (moving, fixed)}))
    assert error(result.transform, truth, space) < 0.4 * error(Affine.identity(2), truth, space)
    assert gap(result.transform, back.transform, space) < 1e-3
    assert any("LNCC of other" in note for note in result.outcomes[-1].notes)


def test_a_term_looks_only_under_its_mask(bent, grid):
    """The further images are right on one half of the field of view, and of something else on the other."""
    fixed, moving, truth = bent
    space = fixed.space
    wrong = moving.data.clone()
    wrong[..., space.shape[1] // 2 :] = moving.data.flip(-2)[..., space.shape[1] // 2 :]
    half = torch.zeros(1, *space.shape)
    half[..., : space.shape[1] // 2 - 3] = 1.0
    mask = Image(half, space)
    errors = {}
    for name in (None, "half"):
        terms = recipe(WeightedSum((Term(MSE(), 0.1), Term(LNCC(2), 1.0, images="other", mask=name))))
        masks = {} if name is None else {name: (mask, mask)}
        further = Further(also={"other": (fixed, Image(wrong, space))}, masks=masks)
        result = register(flat(space), flat(space), terms, further=further)
        left = half[0] > 0
        left &= space.grid().norm(dim=-1) < 25
        off = (result.transform.displace(space) - truth.displace(space)).norm(dim=0)
        errors[name] = float(off[left].mean())
        right = result.transform.displace(space)[:, :, -12:].norm(dim=0)
    assert errors["half"] < 0.6
    assert float(right.max()) < 0.8, "beyond the mask nothing pulls"


def test_masks_of_both_images_keep_out_what_only_one_shows(bent, grid):
    fixed, moving, truth = bent
    space = fixed.space
    images, masks = [], []
    for image, at in ((fixed, (-10.0, 6.0)), (moving, (9.0, -8.0))):
        spot = (space.grid() - torch.tensor(at, dtype=torch.float64)).norm(dim=-1) < 7
        images.append(Image(torch.where(spot, 1.5 * float(image.data.max()), image.data), space))
        masks.append(Image((~spot).float()[None], space))
    plain = register(*images, recipe(LNCC(2)))
    kept = register(*images, recipe(LNCC(2)), fixed_mask=masks[0], moving_mask=masks[1])
    other = register(*reversed(images), recipe(LNCC(2)), fixed_mask=masks[1], moving_mask=masks[0])
    assert error(kept.transform, truth, space) < 0.6 * error(plain.transform, truth, space)
    assert gap(kept.transform, other.transform, space) < 1e-3


def test_a_regulariser_acts_within_its_region(bent):
    fixed, moving, _ = bent
    space = fixed.space
    left = torch.zeros(1, *space.shape)
    left[..., : space.shape[1] // 2] = 1.0
    stiff = recipe(LNCC(2), BSpline(6.0), Sum((Weighed(Diffusion(), 1.0, within="left"),)), 100.0)
    result = register(fixed, moving, stiff, further=Further(masks={"left": (Image(left, space), None)}))
    slopes = torch.diff(result.transform.displace(space), dim=1).norm(dim=0)
    assert float(slopes[:, 4 : space.shape[1] // 2 - 8].mean()) < 0.5 * float(
        slopes[:, space.shape[1] // 2 + 8 :].mean()
    )


def test_landmarks_draw_both_halves(bent):
    space, truth = bent[0].space, bent[2]
    points = 15.0 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    there, back = (Landmarks(Points(a), Points(b)) for a, b in ((points, truth(points)), (truth(points), points)))
    energy = Energy(WeightedSum((Term(MSE(), 0.1), Term(LandmarkDistance(sigma_mm=1.0), 0.01))))
    stage = Symmetric(Greedy(2.5, 0.7), energy, GradientDescent(0.5), Schedule((Level(3, 30),)))
    terms = Recipe("test", "landmarks", (stage,))
    here, other = flat(space), flat(space)
    result = register(here, other, terms, further=Further(landmarks=there))
    swapped = register(other, here, terms, further=Further(landmarks=back))
    before = (truth(points) - points).norm(dim=-1)
    after = (result.transform(points) - truth(points)).norm(dim=-1)
    assert float(after.max()) < 0.25 * float(before.max())
    assert gap(result.transform, swapped.transform, space) < 1e-3


@pytest.mark.parametrize("moves", [0, 1])
def test_the_pull_of_a_landmark_is_the_slope_of_its_distance(moves, grid, smooth_field):
    space = grid(2)
    points = Points(torch.tensor([[3.0, 5.0], [-8.0, 2.0]], dtype=torch.float64))
    partners = Points(points.world + torch.tensor([2.0, -1.0], dtype=torch.float64))
    sure = Landmarks(points, partners, torch.tensor([1.0, 2.0]))
    carries = Affine.rigid(-4.0, [1.0, 0.0]), Affine.rigid(4.0, [0.0, 1.0])
    meeting = LandmarkMeeting(LandmarkDistance(2.0), sure, carries, space, 0.7)
    halves = [Displacement(smooth_field(space, 1.0, seed=seed), space) for seed in (3, 4)]
    loss, forces = meeting.loss_and_forces(*halves)
    assert loss == pytest.approx(float(meeting.loss(*halves)), rel=1e-6)
    step = smooth_field(space, 0.05, seed=9)

    def pushed(scale):
        moved = list(halves)
        moved[moves] = moved[moves] @ Displacement(scale * step, space)
        return float(meeting.loss(*moved))

    assert float((forces[moves] * step).sum()) == pytest.approx((pushed(1.0) - pushed(-1.0)) / 2, rel=0.1)


def test_rigid_halves_follow_landmarks_alone(grid, corner_error):
    space = grid(2)
    truth = Affine.rigid(25.0, [4.0, -3.0])
    points = Points(20.0 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.3]], dtype=torch.float64))
    further = Further(landmarks=Landmarks(points, Points(truth(points.world))))
    result = register(flat(space), flat(space), recipe(LandmarkDistance(), Linear("rigid")), further=further)
    assert corner_error(result.transform, truth, space) < 0.05


def test_landmarks_that_are_missing_and_a_lonely_regulariser_are_told(grid):
    space = grid(2)
    with pytest.raises(InputError, match="there are none; give landmarks"):
        meetings(Energy(LandmarkDistance()), {(None, None): ()}, space, None, lambda met: met)
    points = Points(torch.zeros(1, 2))
    lonely = recipe(LandmarkDistance(), regulariser=Diffusion())
    with pytest.raises(InputError, match="needs a term that compares images"):
        register(flat(space), flat(space), lonely, further=Further(landmarks=Landmarks(points, points)))
    assert register(flat(space), flat(space), recipe(NCC())).ok

"""Surfaces and contours lead, without anyone saying which point belongs to which, alone and beside images."""

import math

import pytest
import torch

import pullback as pb
from pullback.energy import (
    LNCC,
    Diffusion,
    Energy,
    LandmarkDistance,
    Landmarks,
    Pair,
    SurfaceDistance,
    Surfaces,
    Term,
    WeightedSum,
)
from pullback.energy.part import LandmarkPart
from pullback.energy.surfaces import MOST_POINTS, surface_distance
from pullback.errors import InputError, PullbackWarning
from pullback.evaluate import assd, dice
from pullback.image import Image, Points
from pullback.optimise import LBFGS, SVF, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.phantom import heart_pair, heart_space
from pullback.registration import Optimise, Recipe, Symmetric, recipe_file
from pullback.space import Space
from pullback.transforms import Affine, Displacement

WALL = Term(SurfaceDistance(), images="wall")
AFFINE, GREEDY, SPLINE, VELOCITY = Linear("affine"), Greedy(3.0, 0.7), BSpline(spacing_voxels=8), SVF(3.0)


def recipe(*terms, model=None, stage=Optimise, regulariser=None):
    model = model or Linear("affine")
    optimiser = LBFGS() if isinstance(model, Linear | BSpline) else GradientDescent()
    energy = Energy(WeightedSum(terms), regulariser, 0.1 * (regulariser is not None))
    return Recipe("mine", "", (stage(model, energy, optimiser, Schedule((Level(2, 30), Level(1, 15)))),))


def empty(space):
    """An image of nothing, but for a voxel in its corner."""
    data = torch.zeros(1, *space.shape)
    data.view(-1)[0] = 1.0
    return Image(data, space)


def ellipse(centre, half_axes, count, phase=0.0):
    angle = phase + 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    return centre + torch.stack([half_axes[0] * angle.cos(), half_axes[1] * angle.sin()], dim=1)


@pytest.fixture
def rings():
    """An image of nothing, an ellipse in it, and a larger one that lies elsewhere, of other points."""
    space = Space.of_array((64, 64), 2.0)
    here = ellipse(space.centre, (24.0, 18.0), 90)
    there = ellipse(space.centre + torch.tensor([5.0, -4.0]), (30.0, 16.0), 77, 0.3)
    return empty(space), here, there


def apart(transform, here, there):
    return surface_distance(Points(transform(here)), Points(there))


@pytest.mark.parametrize(
    ("stage", "model"),
    [*((Optimise, model) for model in (AFFINE, GREEDY, SPLINE, VELOCITY)), (Symmetric, AFFINE), (Symmetric, GREEDY)],
)
def test_two_ellipses_meet_where_images_show_nothing(rings, stage, model):
    image, here, there = rings
    result = pb.register(image, image, recipe(WALL, model=model, stage=stage), surfaces={"wall": (here, there)})
    assert result.ok
    assert apart(Affine.identity(2), here, there) > 4.0
    assert apart(result.transform, here, there) < 0.5  # the points are 1.8 mm apart
    assert result.provenance["surfaces"] == {"wall": [90, 77]}
    assert result.outcomes[-1].notes[-1].startswith("surface wall (mean mm, weight 1): 4.4 before, 0.")
    assert result.quality.fold_percent == 0


def test_the_pose_of_a_surface_in_3d_of_which_a_part_is_missing_on_one_side():
    """Beyond the threshold what has no partner pulls no more than it must."""
    space = Space.of_array((24, 24, 24), 4.0)
    turn = torch.randn(1500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shell = turn / turn.norm(dim=1, keepdim=True) * torch.tensor([30.0, 22.0, 15.0])
    truth = Affine.rigid((6.0, -4.0, 5.0), [3.0, -2.0, 4.0], space.centre)
    here, there = space.centre + shell[:700], truth(space.centre + shell[700:])
    part = there[there[:, 0] < there[:, 0].quantile(0.8)]

    def error(measure):
        whole = recipe(Term(measure), model=Linear("rigid"))
        found = pb.register(empty(space), empty(space), whole, surfaces=(here, part)).transform
        return float((found(here) - truth(here)).norm(dim=1).mean())

    assert float((truth(here) - here).norm(dim=1).mean()) > 5
    plain = error(SurfaceDistance())
    assert error(SurfaceDistance(threshold=0.5)) < 0.5 * plain < 2.0


def rim(labels, values):
    """The outermost voxels of some labels together."""
    inside = torch.isin(labels.data, torch.tensor(values))
    inner = inside & inside.roll(1, 0) & inside.roll(-1, 0) & inside.roll(1, 1) & inside.roll(-1, 1)
    return Points(labels.space.to_world((inside & ~inner).nonzero().double()))


def test_contours_improve_the_wall_where_noise_hides_it():
    """The inner and the outer contour of the left ventricle, beside noisy images."""
    pair = heart_pair(2, space=heart_space(2, (96, 96), (2.0, 2.0)), seed=1, max_mm=9.0, noise=0.15)
    both = (pair.fixed_labels, pair.moving_labels)
    contours = {"endo": tuple(rim(x, [3]) for x in both), "epi": tuple(rim(x, [2, 3]) for x in both)}
    plain = pb.recipes.fast()
    guided = plain.adding(Term(SurfaceDistance(), 0.03))
    found = [
        pb.register(pair.fixed, pair.moving, plain),
        pb.register(pair.fixed, pair.moving, guided, surfaces=contours),
    ]
    warped = [pb.apply(result.transform, pair.moving_labels, onto=pair.fixed_labels) for result in found]
    (before, after), (far, near) = ([score(both[0], w)[2] for w in warped] for score in (dice, assd))
    assert after > before + 0.05 > 0.9
    assert near < 0.6 * far
    assert found[1].quality.fold_percent == 0


@pytest.mark.parametrize("stage", [Optimise, Symmetric])
def test_each_surface_by_its_name_and_all_without_one(rings, stage):
    image, here, there = rings
    named = {"wall": (here, there), "other": (here, here)}
    led, held = (
        pb.register(image, image, recipe(*terms, stage=stage), surfaces=named)
        for terms in ((WALL, Term(SurfaceDistance(), 1e-6, images="other")), (Term(SurfaceDistance()),))
    )
    assert apart(led.transform, here, there) < 0.5
    assert 1.0 < apart(held.transform, here, there) < 4.0  # half way between the two
    assert [note.split(" (")[0] for note in led.outcomes[-1].notes] == ["surface wall", "surface other"]
    assert held.outcomes[-1].notes[-1].startswith("surfaces (mean mm")


def test_the_force_is_the_gradient_under_a_step_that_is_composed(rings):
    image, here, there = rings
    space = image.space
    surfaces = Surfaces({"wall": (Points(here), Points(there))})
    two = Pair(image.data[None], image.data[None], space, space, surfaces=surfaces)
    energy = Energy(WeightedSum((WALL,)))
    step = torch.sin(space.grid() @ torch.tensor([[0.1, 0.05], [0.07, -0.1]], dtype=torch.float64)).movedim(-1, 0)
    step = 0.05 * step.float()
    base = Displacement(0.3 * step.flip(0), space)
    up, down = (float(energy.loss(two, base @ Displacement(k * step, space))) for k in (1.0, -1.0))
    loss, force = energy.loss_and_force(two, base)
    assert loss == pytest.approx((up + down) / 2, rel=0.01)
    assert float((force * step).sum()) == pytest.approx((up - down) / 2, rel=0.05)


def test_a_symmetric_stage_gives_the_inverse_when_swapped(rings):
    image, here, there = rings
    whole = recipe(Term(LNCC()), WALL, model=Greedy(3.0, 0.7), stage=Symmetric, regulariser=Diffusion())
    forth = pb.register(image, image, whole, surfaces={"wall": (here, there)}).transform
    back = pb.register(image, image, whole, surfaces={"wall": (there, here)}).transform
    assert float((back(forth(here)) - here).norm(dim=1).max()) < 0.05


def test_many_points_are_thinned_evenly():
    generator = torch.Generator().manual_seed(0)
    crowd = torch.cat([torch.rand(9000, 2, generator=generator), 0.01 * torch.rand(9000, 2, generator=generator)])
    few, others = Surfaces({"a": (Points(crowd), Points(crowd[:50]))}).thinned("cpu").named["a"]
    assert MOST_POINTS / 2 < len(few.world) <= MOST_POINTS
    assert float((few.world < 0.01).all(dim=1).float().mean()) < 0.01
    assert torch.equal(others.world, crowd[:50])
    assert surface_distance(few, Points(crowd[:9000])) < 0.02


@pytest.mark.parametrize(
    ("given", "terms", "message"),
    [
        (None, (WALL,), r"compares surfaces, and none were given; .*--surface NAME=FIXED,MOVING"),
        ({"endo": "two"}, (WALL,), r"compares the surface 'wall', not among what was given \(endo\)"),
        ({"wall": "two", "endo": "two"}, (WALL,), "the surface 'endo' was given, but no term"),
        ({"wall": "two"}, (Term(LNCC()),), "surfaces were given, but the recipe 'mine' compares none"),
        ({"wall": 7}, (WALL,), r"surfaces must be \(fixed points, moving points\)"),
        ({"wall": ("text", "text")}, (WALL,), "cannot read text|no point format"),
        ({"wall": ([["a"]], [["b"]])}, (WALL,), "the surface 'wall' must be Points, files"),
        ({"wall": (torch.zeros(0, 2), torch.zeros(3, 2))}, (WALL,), "the fixed surface 'wall' has no points"),
        ({"wall": (torch.zeros(3, 2), torch.full((3, 2), math.nan))}, (WALL,), "moving surface 'wall' .* not finite"),
        ({"wall": (torch.zeros(3, 2), torch.zeros(3, 3))}, (WALL,), "moving surface 'wall' is 3D and another one 2D"),
        ({"wall": (torch.zeros(3, 3), torch.zeros(3, 3))}, (WALL,), "the surfaces are 3D but the two images"),
        ({}, (WALL,), "there are no surfaces"),
    ],
)
def test_what_does_not_meet_is_told(rings, given, terms, message):
    image, here, there = rings
    fill = {"two": (here, there)}
    given = given if given is None else {k: fill.get(v, v) if isinstance(v, str) else v for k, v in given.items()}
    with pytest.raises(InputError, match=message):
        pb.register(image, image, recipe(*terms), surfaces=given)


def test_points_of_another_coordinate_system_are_noticed(rings):
    image, here, there = rings
    far = Space(image.space.shape, Affine.translation([300.0, 0.0]).matrix @ image.space.matrix)
    with pytest.warns(PullbackWarning, match="of the moving surface 'wall', 0 % of the points lie within the moving"):
        pb.register(image, Image(image.data, far), recipe(WALL), surfaces={"wall": (here, there)})


def test_what_a_recipe_says_about_it_comes_back_from_its_file(tmp_path):
    whole = recipe(Term(SurfaceDistance(2.0, 3.0), 0.1, images="endo"))
    (tmp_path / "mine.yaml").write_text(recipe_file.to_yaml(whole), encoding="utf-8")
    assert recipe_file.read(tmp_path / "mine.yaml") == whole


def test_landmarks_may_count_unlike():
    here, there = Points(torch.zeros(2, 2)), Points(torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    part = LandmarkPart(LandmarkDistance(), Landmarks(here, there, counts=torch.tensor([3.0, 1.0])))
    assert float(part.loss(Affine.identity(2))) == pytest.approx((3 * 1 + 9) / 4)

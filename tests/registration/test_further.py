"""Further images, label maps, masks and landmarks: taken by name, each on its own grid, and told where names differ."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import pullback as pb
from pullback.energy import LNCC, MSE, NCC, Energy, LandmarkDistance, SoftDice, Term, WeightedSum
from pullback.errors import InputError, PullbackWarning, RecipeError
from pullback.image import Image, Labels, Points
from pullback.optimise import LBFGS, BSpline, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.registration import AlignCentres, Optimise, Recipe, Search, recipe_file
from pullback.space import Space
from pullback.transforms import Affine

TRUTH = Affine.translation([4.0, -3.0])
LABELS = Term(SoftDice(), 0.5, images="labels")
MARKS = Term(LandmarkDistance(), 0.01)


def recipe(*terms, model=None, optimiser=None, steps=30, samples=None):
    model = model or Linear("translation")
    optimiser = optimiser or (LBFGS() if isinstance(model, Linear | BSpline) else GradientDescent())
    schedule = Schedule((Level(2, steps), Level(1, steps)))
    return Recipe("mine", "", (Optimise(model, Energy(WeightedSum(terms)), optimiser, schedule, samples),))


def blob(space, transform=None):
    """A disc of label 2 in a ring of label 1, seen through a transform."""
    where = space.grid() if transform is None else transform(space.grid())
    away = where.norm(dim=-1)
    return Labels((1 + (away < 9).int()) * (away < 16).int(), space)


@pytest.fixture
def two(paint, grid):
    space = grid(2)
    return paint(space, TRUTH), paint(space)


@pytest.fixture
def nothing(grid):
    """Two images that say nothing of their places: noise, of which each has its own."""
    noise = np.random.default_rng(0).random((2, *grid(2).shape)).astype(np.float32)
    return tuple(Image(torch.from_numpy(n)[None], grid(2)) for n in noise)


def moved(result):
    return (result.transform(torch.zeros(1, 2, dtype=torch.float64)))[0].tolist()


def test_label_maps_on_grids_of_their_own_lead_where_images_do_not(nothing, grid):
    fixed, moving = blob(grid(2, 0.9), TRUTH), blob(grid(2, (1.6, 2.0)).flip(0))
    result = pb.register(*nothing, recipe(LABELS), also={"labels": (fixed, moving)})
    assert moved(result) == pytest.approx([4.0, -3.0], abs=0.2)
    assert result.provenance["also"] == ["labels"]
    assert result.outcomes[-1].notes[0].startswith("SoftDice of labels (loss, weight 0.5): ")


@pytest.mark.parametrize("given", ["labels", "floats", "path", "shares"])
def test_label_maps_may_come_as_whatever_holds_whole_numbers_or_shares(nothing, grid, given, tmp_path):
    pair = [blob(grid(2), TRUTH), blob(grid(2))]
    if given == "floats":
        pair = [Image(labels.data[None].float(), labels.space) for labels in pair]
    if given == "shares":
        pair = [Image(0.9 * torch.stack([labels.data == v for v in (1, 2)]).float(), labels.space) for labels in pair]
    if given == "path":
        for name, labels in zip("fm", pair, strict=True):
            pb.write_image(labels, tmp_path / f"{name}.nii.gz")
        pair = [tmp_path / "f.nii.gz", tmp_path / "m.nii.gz"]
    result = pb.register(*nothing, recipe(LABELS), also={"labels": tuple(pair)})
    assert moved(result) == pytest.approx([4.0, -3.0], abs=0.2)


def test_a_label_in_one_map_only_is_told_and_left_out(nothing, grid):
    fixed, moving = blob(grid(2), TRUTH), blob(grid(2))
    moving = Labels(torch.where(moving.data == 2, 7, moving.data), moving.space)
    with pytest.warns(PullbackWarning, match="'labels', 2, 7 occur in one image only"):
        result = pb.register(*nothing, recipe(LABELS), also={"labels": (fixed, moving)})
    assert moved(result) == pytest.approx([4.0, -3.0], abs=0.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data * 0, "no label in common: fixed has 1, 2, moving"),
        (lambda data: data + 0.4, "whole numbers"),
    ],
)
def test_what_is_no_label_map_is_refused(nothing, grid, change, message):
    fixed, moving = blob(grid(2)), Image(change(blob(grid(2)).data.float())[None], grid(2))
    with pytest.raises(InputError, match=f"of the images 'labels': .*{message}"):
        pb.register(*nothing, recipe(LABELS), also={"labels": (fixed, moving)})


def test_another_sequence_leads_where_the_first_does_not(nothing, two, grid, paint):
    other = paint(grid(2, 1.7), TRUTH), paint(grid(2, 1.1).permute((1, 0)))
    for samples in (None, 500):
        result = pb.register(*nothing, recipe(Term(NCC(), images="t1"), samples=samples), also={"t1": other})
        assert moved(result) == pytest.approx([4.0, -3.0], abs=0.2)


@pytest.mark.parametrize("side", ["fixed", "moving", "both"])
@pytest.mark.parametrize("images", [None, "t1"])
def test_a_mask_of_a_term_hides_what_would_mislead(two, grid, side, images):
    """A bright bar lies elsewhere in both images; outside of the mask, on a grid of its own, it does not count."""
    fixed, moving = (Image(image.data.clone(), image.space) for image in two)
    fixed.data[..., :12], moving.data[..., :12] = 5.0, 0.0
    field = grid(2, 0.8)
    mask = torch.ones(1, *field.shape)
    mask[..., : mask.shape[-1] * 18 // fixed.space.shape[-1]] = 0  # wide enough, wherever the moving image is read
    mask = Image(mask, field)
    pair = (mask if side != "moving" else None, mask if side != "fixed" else None)
    given = {"also": {"t1": (fixed, moving)}} if images else {}
    for term in (Term(MSE(), images=images, mask="clean"), Term(LNCC(), images=images, mask="clean")):
        result = pb.register(fixed, moving, recipe(term), masks={"clean": pair}, **given)
        assert moved(result) == pytest.approx([4.0, -3.0], abs=0.25)


@pytest.mark.parametrize(
    "model",
    [Linear("translation"), Linear("affine"), Greedy(4.0, 1.0), Greedy(4.0, 1.0, "moving"), BSpline(spacing_voxels=8)],
    ids=["translation", "affine", "greedy", "greedy-moving", "spline"],
)
def test_landmarks_lead_where_images_do_not(nothing, grid, model):
    """Every parametrisation carries them there, with a weight of their own for those that are less sure."""
    here = grid(2).to_world(
        torch.tensor([[20.0, 20.0], [20.0, 40.0], [40.0, 20.0], [40.0, 40.0], [30.0, 30.0]]).double()
    )
    there = TRUTH(here)
    there[4] += 8.0
    sigma = [1.0, 1.0, 1.0, 1.0, 100.0]
    result = pb.register(*nothing, recipe(Term(LandmarkDistance()), model=model), landmarks=(here, there, sigma))
    apart = (result.transform(here) - there).norm(dim=1)
    assert float(apart[:4].max()) < 0.3
    assert result.provenance["landmarks"] == 5
    assert "landmarks (mean mm" in result.outcomes[-1].notes[-1]


def test_all_at_once_and_their_figures_are_told(two, grid):
    labels = (blob(grid(2), TRUTH), blob(grid(2)))
    here = grid(2).centre[None] + torch.tensor([[5.0, 0.0], [-5.0, 3.0]])
    whole = recipe(Term(LNCC()), LABELS, MARKS, Term(MSE(), 2.0, images="t1", mask="near"), model=Greedy(4.0, 0.7))
    marks = (Points(here), Points(TRUTH(here)))
    more = {"also": {"labels": labels, "t1": two}, "masks": {"near": (labels[0], None)}, "landmarks": marks}
    result = pb.register(*two, whole, **more)
    assert float((result.transform(here) - TRUTH(here)).norm(dim=1).max()) < 0.4
    assert [note.split(" (")[0] for note in result.outcomes[-1].notes] == [
        "LNCC", "SoftDice of labels", "landmarks", "MSE of t1 under near"]  # fmt: skip


def test_one_measure_is_as_it_was_whatever_its_spelling(two):
    """A sum of one term on the two images takes the same steps, bit for bit."""
    (stage,) = recipe(Term(LNCC()), model=Greedy()).stages
    plain = Recipe("plain", "", (replace(stage, energy=Energy(LNCC())),))
    one, other = (pb.register(*two, r).transform for r in (plain, recipe(Term(LNCC()), model=Greedy())))
    assert torch.equal(one.field, other.field)


def test_starts_may_be_compared_by_what_is_named(nothing, grid):
    """Even the stages that choose where to begin see the further images."""
    far = Affine.translation([20.0, -14.0])
    fixed = blob(grid(2), far)
    stages = (AlignCentres(similarity=WeightedSum((LABELS,))), *recipe(LABELS).stages)
    shifted = Space(grid(2).shape, far.inverse().matrix @ grid(2).matrix)
    images = Image(nothing[0].data, shifted), nothing[1]
    result = pb.register(*images, Recipe("mine", "", stages), also={"labels": (fixed, blob(grid(2)))})
    assert moved(result) == pytest.approx([20.0, -14.0], abs=0.3)


@pytest.mark.parametrize(
    ("given", "terms", "message"),
    [
        (
            {},
            (LABELS,),
            r"compares the images 'labels', not among what was given; give also=\{'labels'.*--also labels=",
        ),
        ({}, (Term(MSE(), mask="heart"),), r"the mask 'heart', not among .* masks=\{'heart'.*--mask heart="),
        ({}, (MARKS,), r"compares landmarks, and none were given.*--fixed-points"),
        ({"also": {"t1": "pair"}}, (Term(MSE()),), "images 't1' was given, but the recipe 'mine' does not name it"),
        ({"masks": {"m": (None, None)}}, (Term(MSE()),), "mask 'm' was given, but the recipe"),
        ({"landmarks": "marks"}, (Term(MSE()),), "landmarks were given, but the recipe 'mine' compares none"),
        ({"also": {"labels": "deep"}}, (LABELS,), "images 'labels' are 3D but the two images to register are 2D"),
        ({"also": {"labels": 7}}, (LABELS,), r"also\['labels'\] must be two things, \(fixed, moving\); got a int"),
        ({"also": {"labels": (None, None)}}, (LABELS,), "there is no fixed labels: got None"),
        ({"landmarks": "one"}, (MARKS,), r"landmarks must be \(fixed points, moving points\)"),
        ({"landmarks": (["a"], ["b"])}, (MARKS,), "landmarks must be Points, files"),
        ({"landmarks": (torch.zeros(2, 3), torch.zeros(2, 3))}, (MARKS,), "the landmarks are 3D"),
    ],
)
def test_names_that_do_not_meet_are_told(two, grid, given, terms, message):
    fill = {
        "pair": two,
        "deep": (blob(grid(3)), blob(grid(3))),
        "marks": (torch.zeros(2, 2), torch.zeros(2, 2)),
    }
    for name, value in given.items():
        if isinstance(value, dict):
            given = given | {name: {key: fill.get(v, v) if isinstance(v, str) else v for key, v in value.items()}}
        elif isinstance(value, str):
            given = given | {name: fill.get(value, value)}
    with pytest.raises(InputError, match=message):
        pb.register(*two, recipe(*terms), **given)


def test_a_recipe_with_names_comes_back_from_its_file(tmp_path):
    whole = recipe(Term(LNCC(floor=1e-4)), LABELS, MARKS, Term(MSE(), images="t1", mask="brain"))
    (tmp_path / "mine.yaml").write_text(recipe_file.to_yaml(whole), encoding="utf-8")
    assert recipe_file.read(tmp_path / "mine.yaml") == whole


def test_adding_terms_keeps_the_rest():
    before = pb.recipes.named("cardiac-sax")
    after = before.adding(LABELS, MARKS)
    last, first = after.stages[-1].energy.similarity, after.stages[1].energy.similarity
    assert last.terms[:2] == before.stages[-1].energy.similarity.terms
    assert last.terms[2:] == first.terms[1:] == (LABELS, MARKS)
    assert before.adding(LABELS, last=1).stages[:-1] == before.stages[:-1]
    with pytest.raises(RecipeError, match="no stage that minimises"):
        Recipe("start", "", (AlignCentres(), Search())).adding(LABELS)


def test_points_take_no_mask(two):
    masked = recipe(Term(MSE()), Term(LandmarkDistance(), 0.01, mask="heart"))
    points = torch.zeros(1, 2)
    with pytest.raises(InputError, match="compares points under the mask 'heart'; points are not masked"):
        pb.register(*two, masked, landmarks=(points, points))


def test_a_mistyped_mask_is_told_the_names_that_are_known(two):
    mask = Image(torch.ones_like(two[0].data), two[0].space)
    with pytest.raises(InputError, match=r"does not name it \(it knows lung\)"):
        pb.register(*two, "lung-ct", masks={"lungs": (mask, None)})


@pytest.mark.parametrize("term", [MARKS, LABELS, Term(MSE(), mask="heart")])
def test_a_group_refuses_what_it_cannot_compare(two, term):
    with pytest.raises(RecipeError, match="a group compares its images alone"):
        pb.register_group(list(two), recipe(Term(NCC()), term))

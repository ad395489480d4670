"""Energies of many terms: each with images, a mask or landmarks of its own, and forces that are their gradients."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import (
    LNCC,
    MIND,
    MSE,
    NCC,
    Energy,
    LandmarkDistance,
    Landmarks,
    Pair,
    SoftDice,
    Term,
    WeightedSum,
)
from pullback.energy.part import ImagePart, LandmarkPart
from pullback.energy.terms import compares_landmarks, flat, keys, parts
from pullback.errors import InputError
from pullback.image import Points
from pullback.optimise import BSpline, Greedy, Linear
from pullback.optimise.parametrisation import Params
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SPACE = Space.of_array((30, 34), 1.5)
OTHER = Space.of_array((21, 24), 2.1)


def waves(space, transform=None):
    points = space.grid() if transform is None else transform(space.grid())
    phase = points @ torch.tensor([[0.13, 0.06], [-0.05, 0.16]], dtype=torch.float64)
    return (0.5 + 0.25 * torch.sin(phase).sum(dim=-1)).float()[None, None]


def on_grid(space, truth):
    return Pair(waves(space, truth), waves(space), space, space, covered=True)


def points(space=SPACE, count=5):
    unit = 0.2 + 0.6 * torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return space.to_world(unit * (torch.tensor(space.shape) - 1))


def pair():
    truth = Affine.translation([2.0, -1.0])
    here = points()
    marks = Landmarks(Points(here), Points(truth(here)), torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0]))
    also = {("t1", None): on_grid(OTHER, truth), ("t1", "brain"): on_grid(OTHER, truth)}
    also["t1", "brain"] = replace(also["t1", "brain"], fixed_weight=(waves(OTHER) > 0.5).float())
    return replace(on_grid(SPACE, truth), also=also, landmarks=marks)


SUM = WeightedSum(
    (
        Term(MSE(), 2.0),
        Term(NCC(), 0.5, images="t1"),
        Term(WeightedSum((Term(LNCC(), 3.0), Term(MSE(), 1.0, mask="brain"))), 0.25, images="t1"),
        Term(LandmarkDistance(threshold=4.0), 0.01),
    )
)


def test_sums_in_sums_are_flat_with_their_weights_and_names():
    found = [(type(term.similarity).__name__, term.weight, term.key) for term in flat(SUM)]
    assert found == [
        ("MSE", 2.0, (None, None)),
        ("NCC", 0.5, ("t1", None)),
        ("LNCC", 0.75, ("t1", None)),
        ("MSE", 0.25, ("t1", "brain")),
        ("LandmarkDistance", 0.01, (None, None)),
    ]
    assert keys(SUM) == (("t1", None), ("t1", "brain"))
    assert compares_landmarks(SUM)
    assert not compares_landmarks(MSE())


def test_measures_of_the_two_images_stay_as_they_are():
    """Nothing is added to the work of a registration with one measure, or with several of the same images."""
    two = pair()
    for similarity in (LNCC(), MIND(), WeightedSum((Term(LNCC()), Term(MSE(), 10.0)))):
        (part,) = parts(similarity, two)
        assert (part.similarity, part.weight) == (similarity, 1.0)
        assert part.pair is two


def test_measures_of_the_same_images_are_read_together_and_features_apart():
    two = pair()
    found = parts(WeightedSum((*SUM.terms, Term(MIND(), 0.3))), two)
    assert [type(part) for part in found] == [ImagePart, ImagePart, ImagePart, LandmarkPart, ImagePart]
    assert found[1].similarity == WeightedSum((Term(NCC(), 0.5), Term(LNCC(), 0.75)))
    assert found[1].pair is two.also["t1", None]
    assert (found[4].similarity, found[4].weight, found[4].pair) == (MIND(), 0.3, two)


def test_the_loss_is_the_sum_over_the_terms():
    two, moved = pair(), Affine.translation([0.5, 0.3])
    other, masked = two.also["t1", None], two.also["t1", "brain"]
    apart = (moved(two.landmarks.fixed.world) - two.landmarks.moving.world).norm(dim=1)
    apart = (apart / two.landmarks.sigma_mm).clamp(max=4) ** 2 + 8 * ((apart / two.landmarks.sigma_mm) - 4).clamp(min=0)
    expected = (
        2.0 * float(Energy(MSE()).loss(two, moved))
        + 0.5 * float(Energy(NCC()).loss(other, moved))
        + 0.75 * float(Energy(LNCC()).loss(other, moved))
        + 0.25 * float(Energy(MSE()).loss(masked, moved))
        + 0.01 * float(apart.mean())
    )
    assert float(Energy(SUM).loss(two, moved)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (Term(MSE(), images="t2"), "images 't2', which are not there"),
        (Term(MSE(), mask="liver"), "mask 'liver'"),
        (Term(LandmarkDistance()), "landmarks"),
    ],
)
def test_what_is_not_there_is_told(term, message):
    two = replace(pair(), landmarks=None)
    with pytest.raises(InputError, match=message):
        Energy(WeightedSum((Term(MSE()), term))).loss(two, Affine.identity(2))


def test_a_sum_of_names_cannot_compare_a_single_pair():
    with pytest.raises(InputError, match="'t1', and this is a single pair"):
        WeightedSum((Term(MSE(), images="t1"),)).loss(waves(SPACE), waves(SPACE))
    with pytest.raises(InputError, match="empty"):
        Term(MSE(), images="")


def test_the_force_tells_how_the_energy_falls_under_a_step_that_is_composed():
    """Against finite differences along a smooth step: images on another grid, masks and landmarks among the terms."""
    two, energy = pair(), Energy(SUM)
    smooth = torch.sin(SPACE.grid() @ torch.tensor([[0.1, 0.05], [0.07, -0.1]], dtype=torch.float64)).movedim(-1, 0)
    field, step = 0.3 * smooth.float(), torch.zeros(2, *SPACE.shape)
    step[:, 4:-4, 4:-4] = (0.02 * smooth.flip(0).float() + torch.tensor([0.1, -0.05]).view(2, 1, 1))[:, 4:-4, 4:-4]
    affine = Affine.rigid(3.0, [0.2, 0.2], SPACE.centre)

    def at(scale, measure):
        composed = Displacement(field, SPACE) @ Displacement(scale * step, SPACE)
        return float(Energy(measure).loss(two, affine @ composed))

    loss, force = energy.loss_and_force(two, affine @ Displacement(field, SPACE))
    assert force.shape == field.shape
    assert loss == pytest.approx(at(0.0, SUM), rel=1e-5)
    assert float((force * step).sum()) == pytest.approx((at(1.0, SUM) - at(-1.0, SUM)) / 2, rel=0.05)
    for term in SUM.terms:
        alone = WeightedSum((term,))
        _, pull = Energy(alone).loss_and_force(two, affine @ Displacement(field, SPACE))
        assert float((pull * step).sum()) == pytest.approx((at(1.0, alone) - at(-1.0, alone)) / 2, rel=0.05)


@pytest.mark.parametrize("model", [Linear("affine"), Greedy(gradient_of="moving"), BSpline(spacing_voxels=6)])
def test_landmarks_have_a_gradient_in_the_numbers_of_every_model(model):
    two, energy = pair(), Energy(WeightedSum((Term(LandmarkDistance()),)))
    params = model.start(SPACE, Affine.rigid(5.0, [1.0, 2.0], SPACE.centre), "cpu")
    step = torch.randn(params.values.shape, generator=torch.Generator().manual_seed(1), dtype=params.values.dtype)

    def loss(values):
        return energy.loss(two, model.build(Params(values, params.space, params.initial)))

    values = params.values.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(values), values)
    difference = (float(loss(params.values + 0.01 * step)) - float(loss(params.values - 0.01 * step))) / 0.02
    assert float((gradient * step).sum()) == pytest.approx(difference, rel=0.02)


def test_landmarks_alone_need_no_image():
    two = pair()
    two = replace(two, fixed=torch.zeros_like(two.fixed), moving=torch.zeros_like(two.moving))
    for similarity in (LandmarkDistance(), WeightedSum((Term(LandmarkDistance()),))):
        assert float(Energy(similarity).loss(two, Affine.translation([2.0, -1.0]))) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("moving", "sigma", "message"),
    [
        (torch.zeros(3, 2), None, "each fixed landmark needs its moving one"),
        (torch.full((2, 2), float("nan")), None, "not finite"),
        (torch.zeros(2, 2), torch.tensor([1.0, 0.0]), "one positive number"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_landmarks_that_do_not_belong_together_are_refused(moving, sigma, message):
    with pytest.raises(InputError, match=message):
        Landmarks(Points(torch.zeros(2, 2)), Points(moving), sigma)


def test_label_maps_are_told_from_brightness():
    assert SoftDice.of_labels
    assert not MSE.of_labels

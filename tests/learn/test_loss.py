import pytest
import torch

from pullback.energy import LNCC, MSE, Diffusion
from pullback.errors import RecipeError
from pullback.learn import Loss, PairBatch, Prediction
from pullback.learn.loss import soft_dice
from pullback.space import Space

SPACE = Space.of_array((16, 16), (1.5, 1.0))


def still(batch):
    return Prediction(torch.zeros(len(batch.fixed), 2, 16, 16), torch.zeros(len(batch.fixed), 2, 16, 16))


def test_the_terms_are_the_classical_ones_with_their_weights(blobs):
    batch = blobs(4).batch([1, 2])
    field = torch.arange(16.0).view(1, 1, 16, 1).expand(2, 2, 16, 16) * 0.1
    said = Prediction(field, field)
    terms = Loss(MSE(), Diffusion(), 2.0).terms(batch, said, SPACE)
    in_mm = torch.einsum("ij,j...->i...", SPACE.linear.float(), field[0])
    assert float(terms["smoothness"]) == pytest.approx(2 * float(Diffusion().loss(in_mm, SPACE)), rel=1e-5)
    plain = Loss(LNCC()).terms(batch, still(batch), SPACE)
    assert list(plain) == ["similarity"]
    expected = LNCC().on(SPACE).loss(batch.fixed, batch.moving).mean()
    assert float(plain["similarity"]) == pytest.approx(float(expected))


def test_labels_cost_nothing_where_they_lie_on_each_other(blobs):
    pairs = blobs(4)
    same, other = pairs.batch([0]), pairs.batch([1])
    loss = Loss(label_weight=3.0)
    assert float(loss.terms(same, still(same), SPACE)["labels"]) == pytest.approx(0, abs=1e-6)
    assert 0 < float(loss.terms(other, still(other), SPACE)["labels"]) < 3
    with pytest.raises(RecipeError, match="needs labels"):
        loss.terms(PairBatch(same.fixed, same.moving), still(same), SPACE)


def test_the_inverse_term_is_zero_for_two_opposite_shifts(blobs):
    batch = blobs(4).batch([1])
    shift = torch.full((1, 2, 16, 16), 0.5)
    loss = Loss(inverse_weight=1.0)
    assert float(loss.terms(batch, Prediction(shift, shift, -shift), SPACE)["inverse"]) == pytest.approx(0)
    gap = float(loss.terms(batch, Prediction(shift, shift, shift), SPACE)["inverse"])
    assert gap == pytest.approx(1.5**2 + 1.0**2)  # one voxel along each axis, in mm
    with pytest.raises(RecipeError, match="bidirectional"):
        loss.terms(batch, still(batch), SPACE)


def test_soft_dice_counts_only_labels_that_occur():
    fixed = torch.zeros(1, 2, 4, 4)
    fixed[:, 0, :2] = 1
    assert float(soft_dice(fixed, fixed)) == pytest.approx(1)
    assert float(soft_dice(fixed, torch.zeros_like(fixed))) == pytest.approx(0)


def test_weights_below_zero_are_refused():
    with pytest.raises(RecipeError, match="label_weight"):
        Loss(label_weight=-1.0)


def test_a_known_answer_costs_its_distance_in_mm_and_the_likeness_may_be_left_out(blobs):
    batch = blobs(4).batch([1])
    truth = torch.full((1, 2, 16, 16), 2.0)
    known = PairBatch(batch.fixed, batch.moving, batch.fixed_labels, batch.moving_labels, truth)
    loss = Loss(similarity_weight=0.0, truth_weight=3.0)
    terms = loss.terms(known, still(known), SPACE)
    assert list(terms) == ["truth"]
    assert float(terms["truth"]) == pytest.approx(3 * (3.0**2 + 2.0**2) ** 0.5, rel=0.04)  # 2 voxels along each axis
    assert float(loss.terms(known, Prediction(truth, truth), SPACE)["truth"]) == pytest.approx(0, abs=1e-6)
    with pytest.raises(RecipeError, match="whose displacement is known"):
        loss.terms(batch, still(batch), SPACE)

"""SoftDice: the Dice coefficient of maps, label by label."""

import pytest
import torch

from pullback.energy import SoftDice


def maps():
    fixed, warped = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    fixed[:, 0, :4], warped[:, 0, 2:6] = 1.0, 1.0  # half of each
    fixed[:, 1, 6:], warped[:, 1, 6:] = 1.0, 1.0  # the same
    return fixed, warped


def test_it_is_one_less_the_mean_dice_over_the_labels():
    assert float(SoftDice().loss(*maps())) == pytest.approx((0.5 + 0.0) / 2, abs=1e-6)


def test_a_label_that_is_in_neither_agrees_and_in_one_only_does_not():
    fixed, _ = maps()
    none = torch.zeros(1, 1, 8, 8)
    assert float(SoftDice().loss(none, none)) == 0.0
    assert float(SoftDice().loss(fixed[:, :1], none)) == pytest.approx(1.0, abs=1e-6)


def test_small_labels_count_as_much_as_large_ones():
    fixed, warped = torch.zeros(1, 2, 20, 20), torch.zeros(1, 2, 20, 20)
    fixed[:, 0] = warped[:, 0] = 1.0
    fixed[:, 1, 3, 3] = 1.0
    assert float(SoftDice().loss(fixed, warped)) == pytest.approx(0.5, abs=1e-3)

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pullback.errors import SpaceError
from pullback.evaluate import dice, mean_dice
from pullback.image import Labels
from pullback.space import Space


def box(start, stop, shape=(20, 20), label=1):
    data = torch.zeros(shape, dtype=torch.int16)
    data[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = label
    return Labels.of(data)


def test_two_offset_boxes():
    a, b = box((2, 2), (12, 12)), box((7, 2), (17, 12))
    assert dice(a, b) == {1: 0.5}
    assert dice(a, a) == {1: 1.0}
    assert dice(a, box((13, 13), (15, 15))) == {1: 0.0}


@given(seed=st.integers(0, 1000))
def test_random_labels_against_counting(seed):
    draw = np.random.default_rng(seed)
    a, b = draw.integers(0, 4, (2, 5, 6, 7))
    found = dice(Labels.of(a), Labels.of(b))
    for label in (1, 2, 3):
        first, second = ({tuple(i) for i in np.argwhere(x == label)} for x in (a, b))
        assert found[label] == pytest.approx(2 * len(first & second) / (len(first) + len(second)))
    assert mean_dice(Labels.of(a), Labels.of(b)) == pytest.approx(sum(found.values()) / 3)


def test_a_label_that_one_lacks_is_not_a_number_and_does_not_spoil_the_mean():
    a, b = box((2, 2), (12, 12)), box((2, 2), (12, 12))
    b.data[15, 15] = 5
    found = dice(a, b)
    assert found[1] == 1.0
    assert math.isnan(found[5])
    assert mean_dice(a, b) == 1.0
    assert math.isnan(mean_dice(box((0, 0), (2, 2), label=1), box((0, 0), (2, 2), label=2)))


def test_other_grids_are_refused():
    a = box((2, 2), (12, 12))
    with pytest.raises(SpaceError, match="one grid"):
        dice(a, Labels.of(a.data, spacing=2.0))
    shifted = Space(a.space.shape, a.space.crop((1, 0), (21, 20)).matrix)
    with pytest.raises(SpaceError, match="one place"):
        dice(a, Labels(a.data, shifted))

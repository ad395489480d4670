"""Data sets that are drawn instead of read."""

import pytest
import torch

from pullback.errors import InputError
from pullback.learn import chests, dataset, fives
from pullback.phantom import chest_films, handwritten_fives


@pytest.mark.parametrize("drawn", [handwritten_fives, chest_films])
def test_a_seed_gives_the_same_pictures_and_each_is_another(drawn):
    pictures = drawn(6, seed=3)
    assert torch.equal(pictures[:4], drawn(4, seed=3))
    assert not torch.equal(pictures, drawn(6, seed=4))
    assert 0 <= float(pictures.min()) < float(pictures.max()) <= 1
    assert float((pictures[:, None] - pictures[None]).abs().amax(dim=(2, 3)).add(torch.eye(6)).min()) > 0.1
    with pytest.raises(InputError, match="at least one"):
        drawn(0)


def test_fives_are_large_and_in_the_middle():
    ink = handwritten_fives(20) > 0.5
    rows, columns = ink.any(dim=2).sum(dim=1), ink.any(dim=1).sum(dim=1)
    assert int(torch.maximum(rows, columns).min()) >= 17
    assert not bool(ink[:, [0, 1, -2, -1]].any() | ink[:, :, [0, 1, -2, -1]].any())
    assert 0.05 < float(ink.float().mean()) < 0.3


def test_they_are_data_sets_by_name():
    for make, name in ((fives, "phantom:fives"), (chests, "phantom:chest")):
        small, named = make((6, 3, 2), seed=1), dataset(name, seed=1)
        assert torch.equal(small.train.images, named.train.images[:6])
        assert [len(part.images) for part in (named.train, named.validation, named.test)] == [700, 200, 100]
        assert named.train.images.shape[1:] == (1, 32, 32)
        with pytest.raises(InputError, match="two pictures"):
            make((6, 3, 1))
    with pytest.raises(InputError, match="phantom:fives"):
        dataset("phantom:sixes")

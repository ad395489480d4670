import pytest
import torch

from pullback.errors import InputError
from pullback.learn import Pairs
from pullback.learn.data import mixed, split


def test_a_number_gives_the_same_pair_always_and_pairs_are_evenly_drawn(blobs):
    pairs = blobs(5)
    drawn = pairs.drawn(3, range(2000))
    assert drawn == pairs.drawn(3, range(1000)) + pairs.drawn(3, range(1000, 2000))
    assert drawn != pairs.drawn(4, range(2000))
    counts = torch.bincount(torch.tensor(drawn), minlength=25)
    assert int(counts.min()) > 40  # 80 each, within five standard deviations of about 9
    assert int(counts.max()) < 125


def test_a_batch_holds_the_scans_of_its_pairs(blobs):
    pairs = blobs(4)
    batch = pairs.batch([7, 2])  # of 4 scans: fixed 1 and moving 3, fixed 0 and moving 2
    assert torch.equal(batch.fixed, pairs.images[[1, 0]])
    assert torch.equal(batch.moving, pairs.images[[3, 2]])
    assert torch.equal(batch.moving_labels, pairs.labels[[3, 2]])


def test_validation_pairs_are_of_two_different_scans(blobs):
    pairs = blobs(4)
    some = pairs.some(100)
    assert len(some) == len(set(some)) == 12
    assert all(a != b for a, b in map(pairs.chosen, some))


def test_listed_pairs_are_those(blobs):
    images = blobs(4).images
    pairs = Pairs(images, (1.0, 1.0), index=((0, 1), (3, 2)))
    assert len(pairs) == 2
    assert pairs.some(9) == [0, 1]
    assert torch.equal(pairs.batch([1]).fixed, images[3:4])


@pytest.mark.parametrize(
    "wrong",
    [{"spacing_mm": (1.0,)}, {"index": ()}, {"index": ((0, 9),)}, {"labels": torch.zeros(4, 2, 2).long()},
     {"truth": torch.zeros(1, 2, 16, 16)}],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(blobs, wrong, unchecked):
    with pytest.raises(InputError):
        Pairs(**({"images": blobs(4).images, "spacing_mm": (1.0, 1.0)} | wrong))


def test_the_mixture_depends_on_every_number():
    values = {mixed(a, b, c) for a in range(8) for b in range(8) for c in range(8)}
    assert len(values) == 512
    assert all(0 <= v < 1 << 63 for v in values)


def test_a_split_keeps_subjects_apart_and_does_not_change():
    names = [f"patient{k:02d}" for k in range(20)] * 2
    parts = split(names, 0.2, 0.1, seed=1)
    assert parts == split(list(reversed(names)), 0.2, 0.1, seed=1)
    assert parts != split(names, 0.2, 0.1, seed=2)
    assert sorted(parts.values()).count("validation") == 4
    assert sorted(parts.values()).count("test") == 2
    with pytest.raises(InputError, match="cannot be split"):
        split(["a", "b"], 0.2, 0.2, seed=0)

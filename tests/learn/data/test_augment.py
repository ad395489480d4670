import pytest
import torch

from pullback.errors import RecipeError
from pullback.learn import Augmentation, PairBatch

EVERYTHING = Augmentation(flip=0.5, rotate_degrees=30, scale=0.2, gamma=0.5, noise=0.1, synthesise=0.5)


def test_the_same_seeds_give_the_same_pairs_whatever_stands_beside_them(blobs):
    batch = blobs(6, 0).batch([1, 9, 20])
    whole = EVERYTHING.apply(batch, [5, 6, 7], (1.5, 1.0))
    again = EVERYTHING.apply(blobs(6, 0).batch([9]), [6], (1.5, 1.0))
    assert torch.equal(whole.fixed[1:2], again.fixed)
    assert torch.equal(whole.moving_labels[1:2], again.moving_labels)
    other = EVERYTHING.apply(blobs(6, 0).batch([9]), [8], (1.5, 1.0))
    assert not torch.equal(other.fixed, again.fixed)


def test_what_moves_moves_images_and_labels_alike(blobs, dimension):
    batch = blobs(4, dimension=dimension).batch([1, 2])
    moved = Augmentation(flip=0.5, rotate_degrees=180, scale=0.2).apply(batch, [1, 2], (1.0,) * dimension)
    assert not torch.equal(moved.fixed, batch.fixed)
    for image, labels in ((moved.fixed, moved.fixed_labels), (moved.moving, moved.moving_labels)):
        bright = image[:, 0] > 0.5
        assert int((bright & (labels > 0)).sum()) > 0.9 * int(labels.sum())


def test_a_turn_is_one_in_mm():
    """A line along the rows, 8 mm long on a grid of 2 x 1 mm, is 8 mm long after a quarter turn."""
    image = torch.zeros(1, 1, 17, 33)
    image[..., 6:11, 16] = 1  # 5 voxels of 2 mm
    turn = Augmentation(rotate_degrees=180)
    batch = PairBatch(image, image)
    seed = min(range(4000), key=lambda s: abs(angle_of(turn, s) - 90))
    found = turn.apply(batch, [seed], (2.0, 1.0)).fixed[0, 0]
    assert float(found.sum(dim=0).gt(0.25).sum()) == pytest.approx(10, abs=1.5)
    assert float(found.sum(dim=1).gt(0.25).sum()) <= 2


def angle_of(augmentation, seed):
    matrix = augmentation._matrix(torch.Generator().manual_seed(seed), (17, 33), (1.0, 1.0))
    return float(torch.rad2deg(torch.atan2(matrix[1, 0], matrix[0, 0])))


def test_brightness_stays_within_its_range_and_differs_between_the_images(blobs):
    batch = blobs(4).batch([0])
    changed = Augmentation(gamma=1.0, noise=0.2).apply(batch, [3], (1.0, 1.0))
    assert 0 <= float(changed.fixed.min()) <= float(changed.fixed.max()) <= 1
    assert not torch.equal(changed.fixed, changed.moving)  # the images of this pair are one and the same
    assert torch.equal(changed.fixed_labels, batch.fixed_labels)


def test_images_drawn_from_labels_have_their_borders_and_nothing_of_their_contrast(blobs):
    batch = blobs(4).batch([1])
    drawn = Augmentation(synthesise=1.0).apply(batch, [1], (1.0, 1.0))
    inside = batch.fixed_labels[0] > 0
    assert float(drawn.fixed[0, 0][inside].std()) < 0.5 * float(drawn.fixed.std()) + 0.05
    assert float(drawn.fixed.std()) > 0
    with pytest.raises(RecipeError, match="have none"):
        Augmentation(synthesise=1.0).apply(PairBatch(batch.fixed, batch.moving), [1], (1.0, 1.0))


def test_what_makes_no_sense_is_refused():
    for wrong in ({"flip": 2}, {"rotate_degrees": -1}, {"scale": 0.9}, {"noise": 5}):
        with pytest.raises(RecipeError, match=next(iter(wrong))):
            Augmentation(**wrong)

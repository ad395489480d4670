import pytest
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.learn import HeartDrawing, dataset, hearts, measure, stay, warp

DRAWING = HeartDrawing((64, 64), (3.0, 3.0), other_contrast=0.0)


def test_the_displacement_carries_the_labels_and_does_not_fold():
    pairs = DRAWING.draw(12, seed=5)
    for label in (1, 2, 3):
        fixed, moving = ((each == label).float()[:, None] for each in (pairs.fixed_labels, pairs.moving_labels))
        warped = warp(moving, pairs.truth)
        before, after = (2 * (fixed * m).sum() / (fixed + m).sum() for m in (moving, warped))
        assert float(after) > 0.85
        assert float(after) > float(before) + 0.1
    volumes = ops.jacobian(pairs.truth, torch.eye(2, dtype=torch.float64))
    assert float((volumes <= 0).float().mean()) < 1e-4


def test_images_follow_the_displacement_and_fill_their_range():
    pairs = DRAWING.draw(12, seed=6)
    before = (pairs.moving - pairs.fixed).square().mean()
    after = (warp(pairs.moving, pairs.truth) - pairs.fixed).square().mean()
    assert float(after) < 0.75 * float(before)  # they have noise, shading and a gain of their own
    assert 0 <= float(pairs.fixed.min()) < 0.01 < 0.9 < float(pairs.fixed.flatten(1).amax(dim=1).min()) <= 1


def test_a_seed_is_a_draw():
    first, again, other = (DRAWING.draw(2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.fixed, again.fixed)
    assert torch.equal(first.truth, again.truth)
    assert not torch.equal(first.fixed, other.fixed)


def test_they_are_a_data_set_of_three_parts():
    data = hearts((5, 3, 2), shape=(32, 32), spacing_mm=(6.0, 6.0), seed=3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [5, 3, 2]
    figures = measure(stay, data.test, range(2))
    assert figures["epe_mm"] > 0.5
    with pytest.raises(InputError, match="drawn hearts are 2D"):
        hearts((5, 3, 2), shape=(8, 32, 32))


def test_they_have_a_name(monkeypatch):
    monkeypatch.setattr("pullback.learn.data.named.hearts", lambda **given: given)
    assert dataset("phantom:hearts", seed=4)["seed"] == 4

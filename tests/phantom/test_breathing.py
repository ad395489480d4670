"""The breathing chest: drawn twice, with a motion that is exact and jumps along the lungs' sides."""

import pytest
import torch

import pullback as pb
from pullback.errors import InputError
from pullback.phantom import breathing_chest
from pullback.space import Space
from pullback.transforms import resample, resample_labels


def test_the_truth_carries_one_image_onto_the_other():
    pair = breathing_chest(20.0, noise=0.0, space=Space.of_array((256, 256), 1.0))
    across = (pair.fixed.space.grid() - pair.fixed.space.centre)[..., 0].abs()
    aside = ((across - 18).abs() > 4) & ((across - 92).abs() > 4)  # at the border both tissues are mixed
    warped = resample(pair.moving, pair.truth, pair.fixed.space)
    assert float((warped.data[0] - pair.fixed.data[0]).abs()[aside].max()) < 0.1
    assert float((pair.moving.data[0] - pair.fixed.data[0]).abs()[aside].mean()) > 0.03
    carried = resample_labels(pair.moving_labels, pair.truth, pair.fixed.space)
    assert min(pb.evaluate.dice(carried, pair.fixed_labels).values()) > 0.98


def test_it_jumps_along_the_sides_and_nowhere_else():
    pair = breathing_chest(15.0)
    field, lung = pair.truth.field, pair.fixed_labels.data == 1
    assert float(field[0].abs().max()) == 0
    assert -float(field[1].min()) == pytest.approx(15.0, abs=0.3)
    assert float(field.norm(dim=0)[pair.fixed_labels.data == 3].max()) < 0.1
    assert 4 < float(field.norm(dim=0)[lung].mean()) < 8
    assert float(torch.diff(field[1], dim=0).abs().max()) < 1.0  # mm from one voxel of 2 mm to the next
    assert float(torch.diff(field[1], dim=1).abs().max()) > 14
    assert float(pair.truth.jacobian().min()) > 0.3


def test_seeds_are_chests_and_what_cannot_be_is_told():
    assert torch.equal(breathing_chest(seed=3).fixed.data, breathing_chest(seed=3).fixed.data)
    assert not torch.equal(breathing_chest(seed=3).fixed.data, breathing_chest(seed=4).fixed.data)
    with pytest.raises(InputError, match="0 to 30 mm"):
        breathing_chest(40.0)
    with pytest.raises(InputError, match="a slice"):
        breathing_chest(space=Space.of_array((8, 8, 8)))

import math

import pytest
import torch

from pullback.errors import InputError
from pullback.evaluate import deformation
from pullback.phantom import known_warp
from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement

TURN = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
MATRIX = torch.block_diag(TURN @ torch.diag(torch.tensor([4.0, 1.5, 1.2], dtype=torch.float64)), torch.ones(1, 1))
SPACES = [Space.of_array((12, 14), (2.0, 1.5)), Space((6, 9, 8), MATRIX.to(torch.float64))]


@pytest.mark.parametrize("space", SPACES, ids=["2D", "3D oblique"])
def test_the_jacobian_of_an_affine_map_is_its_determinant(space):
    d = space.dimension
    linear = torch.eye(d, dtype=torch.float64)
    linear[0, 1], linear[1, 1], linear[0, 0] = 0.3, 1.25, 0.8
    affine = Affine.about(linear, centre=space.centre)
    summary = deformation(affine, space, inverse=True)
    for value in (summary.jacobian_min, summary.jacobian_mean, summary.jacobian_max):
        assert value == pytest.approx(1.0, abs=1e-5)  # 0.8 * 1.25
    assert summary.sdlogj == pytest.approx(0.0, abs=1e-5)
    assert summary.fold_percent == 0.0
    assert summary.inverse_max_mm < 1e-4
    bigger = deformation(Affine.similarity(1.1, centre=space.centre, dimension=d), space)
    assert bigger.jacobian_mean == pytest.approx(1.1**d, rel=1e-5)


def test_a_mirror_image_folds_everywhere():
    mirror = Affine(torch.diag(torch.tensor([-1.0, 1.0, 1.0])))
    summary = deformation(mirror, SPACES[0])
    assert summary.fold_percent == 100.0
    assert summary.jacobian_max == pytest.approx(-1.0, abs=1e-5)


def test_the_whole_map_counts_and_not_only_its_field():
    space = SPACES[0]
    field = Displacement(torch.zeros(2, *space.shape), space)
    doubled = Composite((Affine.similarity(2.0), field))
    assert deformation(doubled, space).jacobian_mean == pytest.approx(4.0, rel=1e-5)


def test_a_fold_is_found_and_counted():
    space = Space.of_array((40, 50))
    x = space.grid()[..., 0]
    field = torch.zeros(2, 40, 50)
    field[0] = (-2.0 * (x - x.mean()) * ((x - x.mean()).abs() < 5.5)).float()  # mirrored in the middle
    summary = deformation(Displacement(field, space), space)
    volume = 1 + torch.gradient(field[0], dim=1)[0] / -1.0  # a voxel to the right is 1 mm to the left
    assert summary.fold_percent == pytest.approx(100 * float((volume <= 0).float().mean()))
    assert 15 < summary.fold_percent < 30
    assert summary.jacobian_min == pytest.approx(-1.0, abs=1e-5)
    expected = volume.double().clamp(min=1e-9).log().std(correction=0)
    assert summary.sdlogj == pytest.approx(float(expected), rel=1e-5)


def test_a_mask_limits_what_counts():
    space = Space.of_array((40, 50))
    field = torch.zeros(2, 40, 50)
    field[0, :, 25:] = 3.0 * torch.arange(25)
    mask = torch.zeros(40, 50, dtype=torch.bool)
    mask[:, :20] = True
    transform = Displacement(field, space)
    assert deformation(transform, space).fold_percent > 40
    inside = deformation(transform, space, mask)
    assert (inside.fold_percent, inside.largest_mm, inside.jacobian_max) == (0.0, 0.0, 1.0)
    assert deformation(transform, space, mask.to(torch.int16)) == inside


def test_lengths():
    summary = deformation(Affine.translation([3.0, 4.0]), SPACES[0])
    assert summary.largest_mm == pytest.approx(5.0)
    assert summary.mean_mm == pytest.approx(5.0)


def test_sdlogj_of_a_known_field():
    space = Space.of_array((200, 4))
    y = space.grid()[..., 1]
    scale = torch.where(torch.arange(200)[:, None] < 100, 0.5, 2.0)
    step = -(scale - 1)  # down a row is 1 mm back along y
    field = torch.stack([torch.zeros_like(y), step.expand_as(y).cumsum(dim=0)]).float()
    summary = deformation(Displacement(field, space), space)
    assert summary.sdlogj == pytest.approx(math.log(2), rel=0.01)
    assert (summary.jacobian_min, summary.jacobian_max) == pytest.approx((0.5, 2.0), abs=1e-4)


def test_inverse_consistency_of_a_warp_and_only_when_asked_for():
    space = Space.of_array((60, 60), 2.0)
    warp = known_warp(space, 1)
    assert deformation(warp, space).inverse_mean_mm is None
    summary = deformation(warp, space, inverse=True)
    assert 0 < summary.inverse_mean_mm <= summary.inverse_max_mm < 0.2
    assert summary.fold_percent == 0


def test_bad_input_is_named():
    with pytest.raises(InputError, match="3D transform"):
        deformation(Affine.identity(3), SPACES[0])
    with pytest.raises(InputError, match="does not fit"):
        deformation(Affine.identity(2), SPACES[0], torch.ones(3, 3))
    with pytest.raises(InputError, match="empty"):
        deformation(Affine.identity(2), SPACES[0], torch.zeros(12, 14))

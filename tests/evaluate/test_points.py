import pytest
import torch

from pullback.errors import InputError
from pullback.evaluate import end_point_error, target_registration_error
from pullback.image import Points
from pullback.phantom import known_warp
from pullback.space import Space
from pullback.transforms import Affine

SPACE = Space.of_array((30, 40), (2.0, 1.5))


def test_target_registration_error_in_mm():
    fixed = Points(torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 5.0]]))
    moving = Points(torch.tensor([[1.0, 0.0, 0.0], [11.0, 3.0, 9.0]]))
    found = target_registration_error(Affine.translation([1.0, 0.0, 0.0]), fixed, moving)
    assert torch.allclose(found, torch.tensor([0.0, 5.0], dtype=torch.float64))


def test_landmarks_carried_by_the_truth_have_no_error():
    warp = known_warp(SPACE, 3)
    fixed = Points(SPACE.grid().reshape(-1, 2)[::17])
    moving = Points(warp(fixed.world))
    assert float(target_registration_error(warp, fixed, moving).max()) == 0.0
    assert float(target_registration_error(warp.inverse(), moving, fixed).max()) < 0.2
    assert float(target_registration_error(Affine.identity(2), fixed, moving).max()) > 5


def test_end_point_error_in_mm():
    found = end_point_error(Affine.identity(2), Affine.translation([3.0, -4.0]), SPACE)
    assert found.shape == SPACE.shape
    assert torch.allclose(found, torch.full_like(found, 5.0))
    warp = known_warp(SPACE, 1)
    assert float(end_point_error(warp, warp, SPACE).max()) == 0.0
    length = warp.displace(SPACE).norm(dim=0)
    assert torch.allclose(end_point_error(Affine.identity(2), warp, SPACE), length)


def test_a_mask_leaves_nothing_outside():
    mask = torch.zeros(SPACE.shape)
    mask[3:5, 6:9] = 1
    found = end_point_error(Affine.identity(2), Affine.translation([1.0, 0.0]), SPACE, mask)
    assert int(torch.isfinite(found).sum()) == 6
    assert float(found.nanmean()) == 1.0


def test_bad_input_is_named():
    with pytest.raises(InputError, match="each fixed landmark"):
        target_registration_error(Affine.identity(2), Points(torch.zeros(3, 2)), Points(torch.zeros(2, 2)))
    with pytest.raises(InputError, match="3D"):
        end_point_error(Affine.identity(2), Affine.identity(3), SPACE)

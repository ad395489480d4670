import math

import pytest
import torch

from pullback.evaluate.marching import cell_codes, surface_sizes


def total(mask, steps):
    padded = torch.nn.functional.pad(mask, [1, 1] * mask.ndim)
    return float(surface_sizes(steps)[cell_codes(padded)].sum())


def steps_of(*spacing):
    return torch.diag(torch.tensor(spacing, dtype=torch.float64))


def test_no_surface_where_all_corners_agree():
    for axes in (2, 3):
        sizes = surface_sizes(torch.eye(axes, dtype=torch.float64))
        assert sizes[0] == 0
        assert sizes[-1] == 0
        assert (sizes[1:-1] > 0).all()


def test_known_pieces():
    flat = surface_sizes(steps_of(2.0, 3.0))  # corners: (0,0), (0,1), (1,0), (1,1)
    assert float(flat[0b0011]) == pytest.approx(3.0)  # the first row inside: a line along the second axis
    assert float(flat[0b0101]) == pytest.approx(2.0)
    assert float(flat[0b0001]) == pytest.approx(math.hypot(1.0, 1.5))
    assert float(flat[0b1001]) == pytest.approx(2 * math.hypot(1.0, 1.5))  # opposite corners: cut off one by one
    cube = surface_sizes(steps_of(2.0, 3.0, 4.0))
    assert float(cube[0b00001111]) == pytest.approx(12.0)
    assert float(cube[0b00000001]) == pytest.approx(
        0.5 * math.sqrt(3.0**2 + 4.0**2 + 6.0**2) / 2
    )  # a corner's triangle


def test_turning_a_mask_over_changes_nothing():
    draw = torch.Generator().manual_seed(1)
    mask = torch.rand(5, 6, 7, generator=draw) > 0.5
    once = total(mask, torch.eye(3, dtype=torch.float64))
    assert total(mask.flip(0), torch.eye(3, dtype=torch.float64)) == pytest.approx(once)
    assert total(mask.permute(2, 0, 1), torch.eye(3, dtype=torch.float64)) == pytest.approx(once)


def test_boxes_and_balls():
    box = torch.zeros(9, 9, 9, dtype=torch.bool)
    box[2:7, 2:7, 2:7] = True
    area = total(box, steps_of(1.0, 2.0, 3.0))
    assert area < 2 * (10 * 15 + 5 * 15 + 5 * 10)  # edges and corners are cut off
    assert area > 2 * (8 * 12 + 4 * 12 + 4 * 8)
    axis = torch.arange(-20.0, 21.0)
    ball = sum(a**2 for a in torch.meshgrid(axis, axis, axis, indexing="ij")) < 15.3**2
    assert total(ball, torch.eye(3, dtype=torch.float64)) == pytest.approx(4 * math.pi * 15.3**2, rel=0.09)
    disc = axis[:, None] ** 2 + axis**2 < 15.3**2
    assert total(disc, torch.eye(2, dtype=torch.float64)) == pytest.approx(2 * math.pi * 15.3, rel=0.07)


def test_rotation_keeps_areas():
    turned = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)).Q
    plain = surface_sizes(steps_of(1.0, 2.0, 3.0))
    assert torch.allclose(surface_sizes(turned @ steps_of(1.0, 2.0, 3.0)), plain)

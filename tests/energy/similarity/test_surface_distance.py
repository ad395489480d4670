"""SurfaceDistance: the nearest points, both ways, whatever their order and number."""

import pytest
import torch

from pullback.energy import SurfaceDistance

LINE = torch.tensor([[[0.0, 4.0, 8.0], [0.0, 0.0, 0.0]]])  # (1, 2, n): three points on a line
NEAR = torch.tensor([[[8.5, 4.0], [0.0, 3.0]]])  # of two, one is 0.5 and one 3 mm from its nearest


def test_it_is_half_the_mean_square_each_way():
    there, back = (0.25 + 9.0) / 2, (25.0 + 9.0 + 0.25) / 3
    assert SurfaceDistance().loss(LINE, NEAR).item() == pytest.approx((there + back) / 2)
    assert SurfaceDistance().loss(NEAR, LINE).item() == pytest.approx((there + back) / 2)
    assert SurfaceDistance(sigma_mm=2.0).loss(LINE, NEAR).item() == pytest.approx((there + back) / 8)
    assert SurfaceDistance().loss(LINE, LINE.flip(-1)).tolist() == [0.0]


def test_a_part_of_a_surface_is_not_the_surface():
    """One way alone, it would fit perfectly."""
    assert SurfaceDistance().loss(LINE, LINE[..., :1]).item() == pytest.approx((0 + (0 + 16 + 64) / 3) / 2)


def test_beyond_the_threshold_it_goes_on_straight():
    far = torch.tensor([[[20.0], [0.0]]])
    here = torch.zeros(1, 2, 1)
    assert SurfaceDistance(threshold=10.0).loss(here, far).item() == pytest.approx(2 * 10 * 20 - 100)


def test_each_of_a_batch_is_by_itself():
    both = SurfaceDistance().loss(LINE.expand(2, -1, -1), torch.cat([LINE.roll(1, -1), LINE + 1.0]))
    assert both.tolist() == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize("threshold", [None, 2.0])
def test_the_gradient_is_that_of_the_loss(threshold):
    generator = torch.Generator().manual_seed(0)
    fixed, warped = (torch.randn(1, 3, n, generator=generator, dtype=torch.float64) * 5 for n in (14, 9))
    measure = SurfaceDistance(1.5, threshold)
    assert torch.autograd.gradcheck(lambda w: measure.loss(fixed, w), warped.requires_grad_())

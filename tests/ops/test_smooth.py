"""`smooth` against scipy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from pullback import ops
from pullback.errors import InputError


def oracle(image, sigmas):
    """Scipy's Gaussian cut off at three standard deviations, rounded up, its edge repeated."""
    array = image.numpy()
    for axis, sigma in enumerate(sigmas, start=2):
        if sigma > 0:
            array = gaussian_filter1d(array, sigma, axis=axis, mode="nearest", radius=max(1, math.ceil(3 * sigma)))
    return array


@pytest.mark.parametrize(
    ("shape", "sigmas"),
    [
        ((2, 3, 12, 9), (1.7, 0.6)),
        ((1, 1, 12, 9), (0.0, 2.0)),
        ((1, 1, 12, 9), (8.0, 0.2)),  # wider than the image
        ((1, 2, 7, 9, 8), (0.5, 1.0, 2.3)),
        ((1, 1, 1, 9, 8), (3.0, 1.0, 0.0)),
        ((2, 1, 1, 1, 1), (3.0, 1.0, 2.0)),
    ],
)
def test_values_are_those_of_scipy(shape, sigmas):
    image = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(ops.smooth(image, sigmas).numpy(), oracle(image, sigmas), atol=1e-12)


def test_a_constant_stays_as_it_is(dimension):
    image = torch.full((1, 1, 7, 9, 8)[: dimension + 2], 3.5)
    torch.testing.assert_close(ops.smooth(image, [1.7] * dimension), image)


def test_the_standard_deviation_is_the_one_asked_for():
    image = torch.zeros(1, 1, 1, 101)
    image[..., 50] = 1
    weights = ops.smooth(image, (0.0, 4.0)).flatten().double()
    spread = (weights * (torch.arange(101) - 50) ** 2).sum().sqrt()
    assert float(spread) == pytest.approx(4.0, rel=0.02)  # the cut at three sigma costs 1.4 %


def test_no_smoothing_gives_the_same_numbers():
    image = torch.randn(1, 1, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ops.smooth(image, (0.0, 0.0)), image)
    torch.testing.assert_close(ops.smooth(image, (1e-200, 1e-30)), image)


@pytest.mark.parametrize("sigmas", [(1.0,), (1.0, 1.0, 1.0), (1.0, -1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_impossible_sigmas_are_refused(sigmas):
    with pytest.raises(InputError, match=r"2D image needs one finite sigma >= 0 for each axis; got \("):
        ops.smooth(torch.zeros(1, 1, 4, 5), sigmas)

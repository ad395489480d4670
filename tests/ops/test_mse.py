"""Mean squared difference: against numpy, and of images that are nearly the same."""

import numpy as np
import pytest
import torch

from pullback import ops
from pullback.errors import InputError


def images(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(33, 47), (9, 21, 30)])
def test_the_weighted_mean_of_squares(size):
    fixed, warped, weight = images(2, 3, *size, seed=1), images(2, 3, *size, seed=2), images(2, 1, *size, seed=3)
    f, w, c = (t.double().numpy() for t in (fixed, warped, weight))
    plain = ((w - f) ** 2).reshape(2, -1).mean(axis=1)
    counted = np.array([np.average((w - f)[k] ** 2, weights=np.broadcast_to(c[k], f[k].shape)) for k in range(2)])
    np.testing.assert_allclose(ops.mse(fixed, warped).numpy(), plain, rtol=1e-5)
    np.testing.assert_allclose(ops.mse(fixed, warped, weight).numpy(), counted, rtol=1e-5)


def test_a_faint_difference_keeps_its_digits():
    fixed = images(1, 1, 64, 64, seed=1)
    warped = fixed + 1e-4
    assert float(ops.mse(fixed, warped)) == pytest.approx(1e-8, rel=2e-3)
    assert float(ops.mse(fixed, fixed)) == 0


def test_no_weight_anywhere():
    fixed = images(1, 1, 8, 8, seed=1)
    assert float(ops.mse(fixed, 1 - fixed, torch.zeros(1, 1, 8, 8))) == 0


def test_shapes_that_do_not_fit():
    with pytest.raises(InputError, match=r"mse needs two images of one shape; got \(1, 1, 4, 4\) and \(1, 1, 4, 5\)"):
        ops.mse(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))
    with pytest.raises(InputError, match=r"the weight must be \(b, 1, 4, 4\)"):
        ops.mse(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4))

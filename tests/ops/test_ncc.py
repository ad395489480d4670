"""Normalised cross-correlation: against numpy, blind to gain and offset, and steady on flat images."""

import numpy as np
import pytest
import torch

from pullback import ops


def image(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(33, 47), (9, 21, 30)])
def test_the_correlation_of_all_voxels(size):
    fixed, warped = image(2, 1, *size, seed=1), image(2, 1, *size, seed=2) + 0.5 * image(2, 1, *size, seed=1)
    expected = [1 - np.corrcoef(f.numpy().ravel(), w.numpy().ravel())[0, 1] for f, w in zip(fixed, warped, strict=True)]
    np.testing.assert_allclose(ops.ncc(fixed, warped).numpy(), expected, rtol=1e-4)


def test_gain_and_offset_do_not_matter():
    fixed = image(1, 1, 40, 50, seed=1)
    assert float(ops.ncc(fixed, 0.2 * fixed + 0.7)) == pytest.approx(0, abs=1e-5)
    assert float(ops.ncc(fixed, 1 - fixed)) == pytest.approx(2, abs=1e-5)


def test_a_flat_image_is_unrelated():
    fixed = image(1, 1, 40, 50, seed=1)
    assert float(ops.ncc(fixed, torch.full_like(fixed, 0.3))) == pytest.approx(1, abs=1e-4)
    assert float(ops.ncc(torch.zeros_like(fixed), fixed)) == pytest.approx(1, abs=1e-4)

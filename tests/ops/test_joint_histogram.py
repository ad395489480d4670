"""`joint_histogram` against explicit loops over voxels."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from pullback import ops
from pullback.errors import InputError

CUBIC = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)


def images(d, count=2, seed=0):
    """Values in and somewhat beyond [0, 1]."""
    size = (6, 7, 5)[:d]
    return (
        1.2 * torch.rand(count, 1, 1, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.1
    )


def oracle(fixed, warped, bins, weight):
    histogram = np.zeros((bins, bins))
    for f, w, count in zip(*(x.flatten().tolist() for x in (fixed, warped, weight)), strict=True):
        row = math.floor(min(max(f, 0), 1) * (bins - 1) + 0.5)
        position = min(max(w, 0), 1) * (bins - 3) + 1
        for column in range(bins):
            histogram[row, column] += count * np.nan_to_num(CUBIC(column - position))
    return histogram / sum(weight.flatten().tolist())


@pytest.mark.parametrize("bins", [5, 16])
def test_values_are_those_of_the_loops(dimension, bins):
    fixed, warped, weight = images(dimension, 3)
    weight = weight.clamp(min=0)
    for w in (None, weight):
        expected = oracle(fixed, warped, bins, torch.ones_like(fixed) if w is None else w)
        np.testing.assert_allclose(ops.joint_histogram(fixed, warped, bins, w)[0].numpy(), expected, atol=1e-12)


def test_it_sums_to_one_and_a_batch_does_not_mix(dimension):
    a, b, c, d = images(dimension, 4)
    batch = ops.joint_histogram(torch.cat([a, c]), torch.cat([b, d]), 8)
    torch.testing.assert_close(batch.sum(dim=(1, 2)), torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(batch[1:], ops.joint_histogram(c, d, 8))
    torch.testing.assert_close(ops.joint_histogram(a, torch.cat([b, d]), 8)[1:], ops.joint_histogram(a, d, 8))
    torch.testing.assert_close(ops.joint_histogram(torch.cat([a, c]), b, 8)[1:], ops.joint_histogram(c, b, 8))


def test_what_has_no_weight_does_not_count():
    fixed, warped, weight = images(2, 3)
    weight = (weight > 0.5).double()
    other = torch.where(weight > 0, warped, 1 - warped)
    torch.testing.assert_close(
        ops.joint_histogram(fixed, warped, 8, weight), ops.joint_histogram(fixed, other, 8, weight)
    )
    assert torch.equal(ops.joint_histogram(fixed, warped, 8, 0 * weight), torch.zeros(1, 8, 8, dtype=torch.float64))


def test_single_precision_counts_millions_of_voxels():
    warped = torch.full((1, 1, 2048, 2048), 0.0123)
    histogram = ops.joint_histogram(torch.zeros_like(warped), warped, 32)
    expected = oracle(torch.zeros(1), torch.tensor([0.0123]), 32, torch.ones(1))
    np.testing.assert_allclose(histogram[0].numpy(), expected, atol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("warped", "bins", "weight", "message"),
    [
        ((1, 1, 4, 6), 8, None, r"one channel and one shape; got \(1, 1, 4, 5\) and \(1, 1, 4, 6\)"),
        ((1, 2, 4, 5), 8, None, "one channel"),
        ((1, 1, 4, 5), 4, None, "at least 5 bins; got 4"),
        ((1, 1, 4, 5), 8, (1, 1, 4, 1), r"weight must have the images' shape \(1, 1, 4, 5\); got \(1, 1, 4, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(warped, bins, weight, message):
    weight = None if weight is None else torch.ones(weight)
    with pytest.raises(InputError, match=message):
        ops.joint_histogram(torch.zeros(1, 1, 4, 5), torch.zeros(warped), bins, weight)

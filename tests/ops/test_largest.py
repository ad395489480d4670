"""`largest` against NumPy."""

import numpy as np
import pytest
import torch

from pullback import ops


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_length_of_the_longest_vector(dimension, dtype):
    field = torch.randn(dimension, *(5, 7, 9)[:dimension], generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = np.linalg.norm(field.numpy(), axis=0).max()
    assert ops.largest(field) == pytest.approx(float(expected), rel=1e-6)
    assert ops.largest(0 * field) == 0


def test_it_takes_no_part_in_gradients():
    assert isinstance(ops.largest(torch.ones(2, 3, 4, requires_grad=True)), float)

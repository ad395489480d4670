"""Recorded work, where there is no GPU to record it: called as it is."""

import torch

from pullback import ops


def test_without_a_gpu_the_function_is_called_each_time():
    seen = []

    def twice(values):
        seen.append(values)
        return (2 * values,)

    replayed = ops.Replayed(twice)
    for k in range(5):
        (found,) = replayed(torch.full((3,), float(k)))
        assert found.tolist() == [2.0 * k] * 3
    assert len(seen) == 5


def test_the_longest_vector_as_a_tensor_is_the_largest_as_a_number():
    field = torch.rand(3, 4, 5, 6, generator=torch.Generator().manual_seed(0)) - 0.7
    assert float(ops.longest(field)) == ops.largest(field)
    assert ops.longest(field).shape == ()

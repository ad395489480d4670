"""Sums of two images and their slopes: the gradient of a loss that autograd finds, and what they refuse."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def smooth(*shape, seed=0):
    return ops.smooth(random(1, 1, *shape, seed=seed), [1.5] * len(shape))


@pytest.mark.parametrize("scattered", [False, True])
def test_the_gradient_of_a_squared_difference_is_a_sum(dimension, scattered):
    shape = (20, 24, 18)[:dimension]
    fixed, moving, weight = smooth(*shape, seed=1), smooth(*shape, seed=2), random(1, 1, *shape, seed=3)
    matrix = torch.eye(dimension, dimension + 1, dtype=torch.float64) * 0.9
    matrix[:, -1] = 1.3
    field = random(1, dimension, *shape, seed=4) - 0.5 if scattered else None
    mix = 0.8 * torch.eye(dimension, dtype=torch.float64) if scattered else None
    sums = ops.pair_sums(fixed, moving, matrix, field, mix, weight, level=0.5)
    leaves = [matrix.clone().requires_grad_(), *([mix.clone().requires_grad_()] if scattered else [])]
    warped = ops.sample(moving, leaves[0], field, *leaves[1:], shape=shape)
    loss = (weight * (warped - fixed) ** 2).sum() / 2
    gradients = torch.autograd.grad(loss, leaves)
    assert float(sums.moments[0]) == pytest.approx(float(weight.sum()), rel=1e-5)
    assert float(sums.moments[4]) == pytest.approx(2 * float(loss.detach()), rel=1e-4)
    for found, expected in zip((sums.by_matrix[2], sums.by_mix[2]), gradients, strict=False):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_the_curvature_is_that_of_the_slopes_squared():
    fixed, moving = smooth(20, 24, seed=1), smooth(20, 24, seed=2)
    matrix = torch.eye(2, 3, dtype=torch.float64)
    sums = ops.pair_sums(fixed, moving, matrix)

    def warped(m):
        return ops.sample(moving.double(), m, shape=(20, 24)).flatten()

    slopes = torch.autograd.functional.jacobian(warped, matrix + 1e-9).view(-1, 6)
    torch.testing.assert_close(sums.curvature.view(6, 6), slopes.T @ slopes, rtol=1e-3, atol=1e-2)


def test_what_is_read_from_outside_does_not_count():
    image = random(1, 1, 10, 12)
    away = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 7.0]], dtype=torch.float64)
    assert float(ops.pair_sums(image, image, away).moments[0]) == 10 * 5
    assert float(ops.pair_sums(image, image, away + 100).moments.abs().sum()) == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fixed": torch.zeros(1, 2, 8, 8)}, r"two images of shape \(1, 1, \*spatial\)"),
        ({"moving": torch.zeros(1, 1, 8, 8, 8)}, "one dimension"),
        ({"weight": torch.zeros(1, 1, 7, 8)}, r"fixed image's shape \(1, 1, 8, 8\); got \(1, 1, 7, 8\)"),
        ({"displacement": torch.zeros(1, 2, 8, 9)}, r"displacement must have the fixed image's shape \(8, 8\)"),
        ({"matrix": torch.eye(3, 4)}, r"a 2D image needs a \(2, 3\) matrix"),
    ],
)
def test_what_does_not_fit_is_told(change, message, unchecked):
    image = torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match=message):
        ops.pair_sums(**{"fixed": image, "moving": image, "matrix": torch.eye(2, 3), **change})

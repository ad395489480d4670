"""`compose` against scipy and against maps whose composition is known."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from pullback import ops
from pullback.errors import InputError

SHAPES = {2: (11, 9), 3: (7, 9, 8)}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_values_are_those_of_the_formula(dimension):
    outer, inner = (random(1, dimension, *SHAPES[dimension], seed=seed) for seed in (1, 2))
    mix = torch.eye(dimension, dtype=torch.float64) + 0.3 * random(dimension, dimension)
    at = np.indices(SHAPES[dimension]) + np.tensordot(mix.numpy(), inner[0].numpy(), 1)
    read = np.stack([map_coordinates(u.numpy(), at, order=1, mode="nearest") for u in outer[0]])
    np.testing.assert_allclose(ops.compose(outer, inner, mix)[0].numpy(), inner[0].numpy() + read, atol=1e-12)


def test_the_inner_field_comes_first():
    step, stretch = torch.zeros(1, 2, 9, 9), torch.zeros(1, 2, 9, 9)
    step[:, 1] = 1.0
    stretch[:, 1] = torch.arange(9.0)  # x -> 2 x
    composed = ops.compose(stretch, step, torch.eye(2))  # 2 (x + 1) - x
    torch.testing.assert_close(composed[0, 1, :, :8], (torch.arange(8.0) + 2).expand(9, 8))


def test_a_scale_multiplies_the_inner_field(dimension):
    outer, inner = (random(1, dimension, *SHAPES[dimension], seed=seed) for seed in (1, 2))
    mix = torch.eye(dimension, dtype=torch.float64) + 0.3 * random(dimension, dimension)
    scaled = ops.compose(outer, inner, mix, scale=-0.7)
    torch.testing.assert_close(scaled, ops.compose(outer, -0.7 * inner, mix))


def test_nothing_composed_with_a_field_is_the_field(dimension):
    field = random(2, dimension, *SHAPES[dimension])
    none, mix = torch.zeros_like(field), torch.eye(dimension, dtype=torch.float64)
    torch.testing.assert_close(ops.compose(none, field, mix), field)
    torch.testing.assert_close(ops.compose(field, none, mix), field)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shapes", [((1, 2, 4, 5), (1, 2, 5, 4)), ((1, 3, 4, 5), (1, 3, 4, 5)), ((2, 4, 5), (2, 4, 5))])
def test_fields_that_do_not_fit_are_refused(shapes):
    outer, inner = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(InputError, match="on one grid; got"):
        ops.compose(outer, inner, torch.eye(2))

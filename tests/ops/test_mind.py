"""`mind` against explicit loops over voxels, pairs and patches, and what makes it a descriptor."""

import itertools
import math

import numpy as np
import pytest
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.ops.mind import offsets

SIZES = {2: (8, 11), 3: (5, 6, 7)}
RADII = {2: (1, 2), 3: (1, 0, 1)}
DILATIONS = {2: (2, 1), 3: (1, 2, 1)}
forms = pytest.mark.parametrize("form", ["ssc", "plain"])


def image(d, seed=0):
    return torch.rand(1, 1, *SIZES[d], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def neighbours(d, dilation):
    return [np.array([s * dilation[a] if k == a else 0 for k in range(d)]) for a in range(d) for s in (-1, 1)]


def oracle(values, radius, dilation, form):
    """The channels, in the order of `offsets`, by loops."""
    size, d = values.shape, values.ndim
    around = neighbours(d, dilation)
    if form == "plain":
        pairs = [(a, 0 * a) for a in around]
    else:  # the neighbours at right angles: those that are neither the same nor opposite
        pairs = [(a, b) for a, b in itertools.combinations(around, 2) if (a * b).sum() == 0]
    distance = np.zeros((len(pairs), *size))
    for voxel in itertools.product(*(range(n) for n in size)):
        box = [range(max(v - r, 0), min(v + r + 1, n)) for v, r, n in zip(voxel, radius, size, strict=True)]
        for k, (a, b) in enumerate(pairs):
            at = [np.clip(np.array(p)[None] + (a, b), 0, np.array(size) - 1) for p in itertools.product(*box)]
            distance[k][voxel] = np.mean([(values[tuple(p)] - values[tuple(q)]) ** 2 for p, q in at])
    distance -= distance.min(axis=0)
    noise = distance.mean(axis=0)
    noise = np.clip(noise, 1e-3 * noise.mean(), 1e3 * noise.mean())
    return np.exp(-distance / noise)


@forms
def test_values_are_those_of_the_loops(dimension, form):
    values = image(dimension)
    values[..., : SIZES[dimension][-1] // 2] *= 1e-2  # less noise there than is believed
    found = ops.mind(values, RADII[dimension], DILATIONS[dimension], form)
    expected = oracle(values[0, 0].numpy(), RADII[dimension], DILATIONS[dimension], form)
    assert found.shape == (1, len(expected), *SIZES[dimension])
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(("d", "form", "count"), [(2, "ssc", 4), (3, "ssc", 12), (2, "plain", 4), (3, "plain", 6)])
def test_it_has_as_many_channels_as_pairs(d, form, count):
    pairs = offsets((2,) * d, form)
    assert len(set(pairs)) == len(pairs) == count
    if form == "ssc":
        apart = {math.dist(a, b) for a, b in pairs}
        assert apart == {math.dist((0, 2), (2, 0))}, "all of them next to each other"
    assert ops.mind(image(d), (1,) * d, (2,) * d, form).shape[1] == count


@forms
def test_gain_offset_and_inversion_do_not_matter(dimension, form):
    values, numbers = image(dimension), (RADII[dimension], DILATIONS[dimension], form)
    for other in (0.3 * values + 5, 1 - values):
        torch.testing.assert_close(ops.mind(other, *numbers), ops.mind(values, *numbers), atol=1e-8, rtol=0)
    assert (ops.mind(image(dimension, 1), *numbers) - ops.mind(values, *numbers)).abs().max() > 0.3


@forms
def test_flat_images_give_ones_and_are_not_divided_by_nothing(dimension, form):
    flat = torch.full((1, 2, *SIZES[dimension]), 0.7)
    assert torch.equal(ops.mind(flat, (1,) * dimension, (1,) * dimension, form).unique(), torch.ones(1))
    flat.requires_grad_()
    (gradient,) = torch.autograd.grad(ops.mind(flat, (1,) * dimension, (1,) * dimension, form).sum(), flat)
    assert float(gradient.abs().max()) == 0


def test_channels_and_images_are_described_one_by_one(dimension):
    values = torch.cat([torch.cat([image(dimension, k), image(dimension, k + 1)], dim=1) for k in (0, 5)]).float()
    found = ops.mind(values, RADII[dimension], DILATIONS[dimension])
    for b, c in itertools.product(range(2), range(2)):
        alone = ops.mind(values[b : b + 1, c : c + 1], RADII[dimension], DILATIONS[dimension])
        k = alone.shape[1]
        assert torch.equal(found[b : b + 1, k * c : k * (c + 1)], alone)


def test_the_number_of_threads_changes_no_bit():
    values = torch.rand(1, 1, 24, 45, 37, generator=torch.Generator().manual_seed(0))
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(ops.mind(values, (1, 2, 1), (2, 1, 2)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.usefixtures("unchecked")
def test_what_makes_no_sense_is_refused():
    values = torch.zeros(1, 1, 5, 5)
    for arguments in (((1,), (1, 1)), ((1, 1), (1, 1, 1)), ((-1, 1), (1, 1)), ((1, 1), (1, -1))):
        with pytest.raises(InputError, match="mind needs one"):
            ops.mind(values, *arguments)
    with pytest.raises(InputError, match="no form"):
        ops.mind(values, (1, 1), (1, 1), "full")

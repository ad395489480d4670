"""Whatever grid, however turned: voxels stay where they are in the patient."""

import itertools

import numpy as np
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback.space import Space

few = settings(max_examples=40)
dimensions = st.sampled_from([2, 3])
sizes = st.integers(1, 9)
steps = st.floats(0.05, 20)
turns = st.floats(-3, 3)


@st.composite
def spaces(draw) -> Space:
    """Any grid: turned about any axis, mirrored or not, somewhat sheared, up to a metre from the origin."""
    d = draw(dimensions)
    skew = torch.tensor([[draw(turns) for _ in range(d)] for _ in range(d)], dtype=torch.float64)
    shear = torch.eye(d, dtype=torch.float64)
    shear[0, 1] = draw(st.floats(-0.5, 0.5))
    scale = torch.diag(
        torch.tensor([draw(steps) * draw(st.sampled_from([-1, 1])) for _ in range(d)], dtype=torch.float64)
    )
    matrix = torch.eye(d + 1, dtype=torch.float64)
    matrix[:-1, :-1] = torch.linalg.matrix_exp(skew - skew.T) @ shear @ scale
    matrix[:-1, -1] = torch.tensor([draw(st.floats(-1000, 1000)) for _ in range(d)], dtype=torch.float64)
    return Space(tuple(draw(sizes) for _ in range(d)), matrix)


@few
@given(spaces(), st.integers(0, 2**31))
def test_to_voxels_undoes_to_world(space, seed):
    voxels = 100 * torch.randn(7, space.dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(space.to_voxels(space.to_world(voxels)), voxels, atol=1e-7, rtol=0)


@few
@given(spaces(), st.data())
def test_reshaping_keeps_every_voxel_where_it_is(space, data):
    """Any crops, flips and permutations, one after another, of the grid and of the positions of its voxels alike."""
    expected, d = space.grid(), space.dimension
    for kind in data.draw(st.lists(st.sampled_from(["crop", "flip", "permute"]), max_size=4)):
        if kind == "flip":
            axis = data.draw(st.integers(0, d - 1))
            space, expected = space.flip(axis), expected.flip(axis)
        elif kind == "permute":
            order = data.draw(st.permutations(range(d)))
            space, expected = space.permute(order), expected.permute(*order, d)
        else:
            start = [data.draw(st.integers(0, n - 1)) for n in space.shape]
            stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, space.shape, strict=True)]
            space, expected = space.crop(start, stop), expected[tuple(map(slice, start, stop))]
    assert space.shape == tuple(expected.shape[:-1])
    torch.testing.assert_close(space.grid(), expected, atol=1e-8, rtol=0)


@few
@given(spaces(), st.data())
def test_resizing_keeps_the_corners_of_the_field_of_view(space, data):
    other = space.resized([data.draw(sizes) for _ in space.shape])
    for corner in itertools.product((0, 1), repeat=space.dimension):
        low, high = (torch.tensor(corner) * torch.tensor(s.shape) - 0.5 for s in (space, other))
        torch.testing.assert_close(other.to_world(high.double()), space.to_world(low.double()), atol=1e-8, rtol=0)


@few
@given(st.lists(st.tuples(sizes, steps), min_size=2, max_size=3))
def test_a_bare_array_lies_where_simpleitk_puts_it(axes):
    shape, spacing = zip(*axes, strict=True)
    image = sitk.GetImageFromArray(np.zeros(shape, np.uint8))
    image.SetSpacing(spacing[::-1])
    last = [n - 1 for n in shape]
    theirs = np.array([-1.0, -1.0, 1.0][: len(shape)]) * image.TransformIndexToPhysicalPoint(last[::-1])
    ours = Space.of_array(shape, spacing).to_world(torch.tensor(last, dtype=torch.float64))
    np.testing.assert_allclose(ours.numpy(), theirs)

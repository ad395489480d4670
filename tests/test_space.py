"""Space: where voxels lie, and that no reshaping moves them."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback.errors import SpaceError
from pullback.space import Space


def diagonal(*steps: float) -> torch.Tensor:
    return torch.diag(torch.tensor([*steps, 1.0], dtype=torch.float64))


def test_what_it_says_of_itself():
    matrix = diagonal(8.0, -1.5, 1.25)
    matrix[:3, 3] = torch.tensor([10.0, 20.0, -30.0])
    space = Space((10, 256, 192), matrix)
    assert space.dimension == 3
    assert space.spacing == (8.0, 1.5, 1.25)
    assert space.extent == (80.0, 384.0, 240.0)
    assert space.count == 10 * 256 * 192
    assert space.centre.tolist() == [10 + 36, 20 - 191.25, -30 + 119.375]
    assert torch.equal(space.linear, matrix[:3, :3])
    torch.testing.assert_close(space.inverse @ matrix, torch.eye(4, dtype=torch.float64))
    assert repr(space) == "Space(10 x 256 x 192 voxels of 8 x 1.5 x 1.25 mm)"


def test_the_matrix_is_kept_in_double_precision_on_the_cpu():
    space = Space((4, 5), torch.eye(3, dtype=torch.float32, requires_grad=True))
    assert space.matrix.dtype == torch.float64
    assert not space.matrix.requires_grad
    assert space.matrix.device.type == "cpu"


def test_the_grid_is_every_voxel(dimension, oblique_space):
    space = oblique_space(dimension)
    grid = space.grid()
    assert grid.shape == (*space.shape, dimension)
    index = (1, 2, 3)[:dimension]
    expected = space.matrix[:-1, -1] + sum(space.matrix[:-1, axis] * i for axis, i in enumerate(index))
    torch.testing.assert_close(grid[index], expected)
    torch.testing.assert_close(grid.reshape(-1, dimension).mean(dim=0), space.centre)


def test_to_voxels_undoes_to_world_in_the_precision_of_the_points(dimension, oblique_space):
    space = oblique_space(dimension)
    voxels = 30 * torch.randn(4, 5, dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(space.to_voxels(space.to_world(voxels)), voxels)
    single = space.to_world(voxels.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, space.to_world(voxels).float(), atol=1e-4, rtol=1e-6)


def test_a_bare_array_lies_where_simpleitk_puts_it(dimension):
    shape, spacing = (4, 5, 6)[:dimension], (3.0, 1.5, 0.8)[:dimension]
    image = sitk.GetImageFromArray(np.zeros(shape))
    image.SetSpacing(spacing[::-1])
    space = Space.of_array(shape, spacing)
    signs = np.array([-1.0, -1.0, 1.0][:dimension])
    for index in np.ndindex(shape):
        theirs = signs * image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        np.testing.assert_allclose(space.to_world(torch.tensor(index, dtype=torch.float64)).numpy(), theirs)


@pytest.mark.parametrize("spacing", [2.0, 2, [2.0, 2.0], (2, 2), np.array([2.0, 2.0]).tolist(), [2.0]])
def test_a_spacing_is_one_number_or_one_for_each_axis(spacing):
    assert Space.of_array((4, 5), spacing).spacing == (2.0, 2.0)


def test_same_as_looks_at_voxels_and_not_at_numbers(dimension, oblique_space):
    space = oblique_space(dimension)
    assert space.same_as(space)
    assert space.same_as(oblique_space(dimension))
    assert not space.same_as(space.flip(0))
    assert not space.same_as(oblique_space(dimension, shape=(5, 6, 7)[:dimension]))
    nudged = space.matrix.clone()
    nudged[0, -1] += 1e-5
    assert space.same_as(Space(space.shape, nudged))
    nudged[0, -1] += 0.1
    assert not space.same_as(Space(space.shape, nudged))
    assert space.same_as(Space(space.shape, nudged), tolerance_voxels=0.2)
    stretched = space.matrix.clone()
    stretched[:-1, 0] *= 1.001  # a little at each voxel is much at the far end
    assert not space.same_as(Space(space.shape, stretched))


def test_resized_keeps_the_field_of_view(dimension, oblique_space):
    space = oblique_space(dimension)
    other = space.resized((5, 40, 9)[:dimension])
    assert other.shape == (5, 40, 9)[:dimension]
    assert other.extent == pytest.approx(space.extent)
    torch.testing.assert_close(other.centre, space.centre)
    low, high = torch.full((dimension,), -0.5, dtype=torch.float64), torch.tensor(space.shape) - 0.5
    torch.testing.assert_close(other.to_world(low), space.to_world(low))
    torch.testing.assert_close(other.to_world(torch.tensor(other.shape) - 0.5), space.to_world(high))
    assert space.resized(space.shape).same_as(space)


def test_crop_flip_and_permute_are_what_happens_to_the_data(dimension, oblique_space):
    space = oblique_space(dimension)
    grid = space.grid()
    start, stop = (2, 0, 3)[:dimension], (9, 12, 23)[:dimension]
    torch.testing.assert_close(space.crop(start, stop).grid(), grid[tuple(map(slice, start, stop))])
    for axis in range(-dimension, dimension):
        torch.testing.assert_close(space.flip(axis).grid(), grid.flip(axis % dimension))
    for order in ((1, 0), (-1, 0)) if dimension == 2 else ((2, 0, 1), (-1, 1, -3)):
        expected = grid.permute(*[a % dimension for a in order], dimension)
        torch.testing.assert_close(space.permute(order).grid(), expected)


def test_a_crop_beyond_the_end_pads(dimension, oblique_space):
    space = oblique_space(dimension)
    wide = space.crop([-2] * dimension, [n + 3 for n in space.shape])
    assert wide.shape == tuple(n + 5 for n in space.shape)
    inner = (slice(2, -3),) * dimension
    torch.testing.assert_close(wide.grid()[inner], space.grid())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("shape", "matrix", "message"),
    [
        ((4,), torch.eye(2), r"2 or 3 axes of at least one voxel; got the shape \(4,\)"),
        ((4, 5, 6, 7), torch.eye(5), "2 or 3 axes"),
        ((), torch.eye(1), "2 or 3 axes"),
        ((4, 0), torch.eye(3), r"at least one voxel; got the shape \(4, 0\)"),
        ((4, -5), torch.eye(3), "at least one voxel"),
        ((4, 5), torch.eye(4), r"2D space needs a 3x3 matrix; got \(4, 4\)"),
        ((4, 5), torch.ones(3), r"3x3 matrix; got \(3,\)"),
        ((4, 5), diagonal(1.0, torch.nan), "not finite; repair the image header"),
        ((4, 5), diagonal(1.0, torch.inf), "not finite"),
        ((4, 5), diagonal(1.0, 0.0), r"singular \(voxel sizes \[1.0, 0.0\]\); repair the header"),
        ((4, 5), torch.tensor([[1.0, 2, 0], [2, 4, 0], [0, 0, 1]]), "singular"),
        ((4, 5), torch.diag(torch.tensor([1.0, 1, 2])), r"last row of a voxel-to-world matrix must be 0 ... 0 1; got"),
        ((4, 5), torch.tensor([[1.0, 0, 0], [0, 1, 0], [5, 6, 1]]), "last row"),  # given transposed
    ],
)
def test_an_impossible_space_is_refused(shape, matrix, message):
    with pytest.raises(SpaceError, match=message):
        Space(shape, matrix)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Space.of_array((4, 5), 0.0), r"positive and finite; got \[0.0, 0.0\]; give millimetres"),
        (lambda: Space.of_array((4, 5), [1.0, -2.0]), "positive and finite"),
        (lambda: Space.of_array((4, 5), float("nan")), "positive and finite"),
        (lambda: Space.of_array((4, 5), float("inf")), "positive and finite"),
        (lambda: Space.of_array((4, 5), [1.0, 2.0, 3.0]), "3 numbers for 2 axes; give one for each axis"),
        (lambda: Space.of_array((4, 5, 6, 7)), "2 or 3 axes"),
        (lambda: Space.of_array((4, 5)).resized((4,)), r"a shape for Space\(4 x 5 .* needs 2 numbers; got \(4,\)"),
        (lambda: Space.of_array((4, 5)).resized((4, 0)), r"cannot resize to the shape \(4, 0\)"),
        (lambda: Space.of_array((4, 5)).crop((0,), (3, 3)), "a start for"),
        (lambda: Space.of_array((4, 5)).crop((0, 0), (3,)), "a stop for"),
        (lambda: Space.of_array((4, 5)).crop((2, 2), (2, 4)), "at least one voxel"),
        (lambda: Space.of_array((4, 5)).flip(2), r"has the axes 0 to 1; got \(2,\)"),
        (lambda: Space.of_array((4, 5)).permute((0, 2)), r"has the axes 0 to 1; got \(0, 2\)"),
        (lambda: Space.of_array((4, 5)).permute((0, 0)), r"must name each of them once; got \(0, 0\)"),
        (lambda: Space.of_array((4, 5, 6)).permute((0, 1)), r"must name each of them once; got \(0, 1\)"),
    ],
)
def test_impossible_numbers_are_refused(make, message):
    with pytest.raises(SpaceError, match=message):
        make()


def test_a_sheared_space_is_allowed():
    matrix = diagonal(2.0, 1.0)
    matrix[0, 1] = 0.9
    space = Space((4, 5), matrix)
    voxels = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(space.to_voxels(space.to_world(voxels)), voxels)

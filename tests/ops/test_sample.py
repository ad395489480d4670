"""`sample` against scipy, and its rules at and beyond the edge."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from pullback import ops
from pullback.errors import InputError

SIZES = {2: (9, 6), 3: (5, 7, 6)}
SHAPES = {2: (4, 11), 3: (4, 3, 8)}
ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
INTERPOLATIONS = list(ORDERS)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(d, seed=0):
    """An image, and a matrix, displacement and mix that read it inside and well outside."""
    matrix = torch.cat(
        [torch.eye(d, dtype=torch.float64) + 0.2 * random(d, d, seed=seed), torch.full((d, 1), 0.7)], dim=1
    )
    return (
        random(1, 2, *SIZES[d], seed=seed),
        matrix,
        1.2 * random(1, d, *SHAPES[d], seed=seed + 1),
        random(d, d, seed=7),
    )


def positions(matrix, displacement, mix, shape):
    """p(v) by the formula, (d, *shape)."""
    matrix, voxels = matrix.numpy(), np.indices(shape).astype(float)
    at = np.tensordot(matrix[:, :-1], voxels, 1) + matrix[:, -1].reshape(-1, *[1] * len(shape))
    return at if displacement is None else at + np.tensordot(mix.numpy(), displacement[0].numpy(), 1)


def oracle(image, at, interpolation):
    """Scipy's values at positions whose edge is repeated by clamping."""
    limits = np.array(image.shape).reshape(-1, *[1] * (at.ndim - 1)) - 1
    mode = "mirror" if interpolation == "cubic" else "nearest"
    return map_coordinates(image.numpy(), np.clip(at, 0, limits), order=ORDERS[interpolation], mode=mode)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("given", ["matrix", "displacement", "both"])
def test_values_are_those_of_scipy(dimension, interpolation, given):
    image, matrix, displacement, mix = problem(dimension)
    if given == "displacement":
        matrix = torch.eye(dimension, dimension + 1, dtype=torch.float64)
    if given == "matrix":
        displacement = mix = None
    warped = ops.sample(image, matrix, displacement, mix, shape=SHAPES[dimension], interpolation=interpolation)
    at = positions(matrix, displacement, mix, SHAPES[dimension])
    expected = np.stack([oracle(channel, at, interpolation) for channel in image[0]])
    np.testing.assert_allclose(warped[0].numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_more_than_half_a_voxel_outside_gets_the_value_given(dimension, interpolation):
    image, matrix, displacement, mix = problem(dimension)
    at = positions(matrix, displacement, mix, SHAPES[dimension])
    limits = np.array(SIZES[dimension]).reshape(-1, *[1] * dimension)
    inside = ((at >= -0.5) & (at < limits - 0.5)).all(axis=0)
    assert 0.1 < inside.mean() < 0.9  # both happen
    warped = ops.sample(image, matrix, displacement, mix, interpolation=interpolation, outside=-9.0)
    expected = np.stack([np.where(inside, oracle(channel, at, interpolation), -9.0) for channel in image[0]])
    np.testing.assert_allclose(warped[0].numpy(), expected, atol=1e-10)
    mask = ops.inside(SIZES[dimension], matrix, displacement, mix)
    assert torch.equal(mask[0, 0].bool(), torch.from_numpy(inside))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_the_half_voxel_rim_repeats_the_edge(interpolation):
    image = torch.tensor([[[[1.0, 2.0, 3.0]] * 2]])
    columns = torch.tensor([-0.51, -0.5, -0.1, 0.0, 2.0, 2.3, 2.49, 2.5])
    at = torch.stack([torch.zeros(8), columns]).view(1, 2, 8, 1)
    read = ops.sample(image, torch.zeros(2, 3), at, interpolation=interpolation, outside=-9.0).flatten()
    torch.testing.assert_close(read, torch.tensor([-9.0, 1, 1, 1, 3, 3, 3, -9]))


def test_nearest_halves_go_up():
    image = torch.arange(4.0).view(1, 1, 1, 4)
    at = torch.tensor([0.0, 0.49, 0.5, 1.5, 2.5, 3.49, -0.5]).view(1, 1, 7, 1)
    read = ops.sample(image, torch.zeros(2, 3), torch.cat([torch.zeros_like(at), at], dim=1), interpolation="nearest")
    assert read.flatten().tolist() == [0, 0, 1, 2, 3, 3, 0]


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_reading_at_the_voxels_gives_the_image(dimension, interpolation):
    image = random(1, 1, *SIZES[dimension]).float()
    identity = torch.eye(dimension, dimension + 1)
    read = ops.sample(image, identity, shape=SIZES[dimension], interpolation=interpolation)
    torch.testing.assert_close(read, image, atol=2e-6, rtol=0)


def test_one_image_is_read_at_several_sets_of_positions_and_several_images_at_one(dimension):
    image, matrix, displacement, mix = problem(dimension)
    images = torch.cat([image, 2 * image, -image])
    displacements = torch.cat([displacement, -displacement, 0 * displacement])
    matrices = torch.stack([matrix, 0.5 * matrix, 0 * matrix])
    every = ops.sample(images, matrices, displacements, mix)
    for k in range(3):
        own, field = images[k : k + 1], displacements[k : k + 1]
        for several, single in (
            (every, ops.sample(own, matrices[k], field, mix)),
            (ops.sample(image, matrices, displacement, mix), ops.sample(image, matrices[k], displacement, mix)),
            (ops.sample(image, matrix, displacements, mix), ops.sample(image, matrix, field, mix)),
            (ops.sample(images, matrix, displacement, mix), ops.sample(own, matrix, displacement, mix)),
        ):
            torch.testing.assert_close(several[k : k + 1], single)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_points_are_read_like_a_grid(dimension, interpolation):
    image = random(1, 2, *SIZES[dimension])
    voxels = 6 * torch.rand(40, dimension, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 1
    read = ops.sample_points(image, voxels, interpolation)
    expected = np.stack([oracle(channel, voxels.T.numpy(), interpolation) for channel in image[0]])
    np.testing.assert_allclose(read.numpy(), expected, atol=1e-10)
    assert ops.sample_points(image, voxels[:0], interpolation).shape == (2, 0)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_position_that_is_not_a_number_reads_the_first_voxel_or_outside(interpolation):
    image = 1 + torch.arange(20.0).view(1, 1, 4, 5)
    displacement = torch.zeros(1, 2, 4, 5)
    displacement[0, 0, 1, 1], displacement[0, 1, 2, 2], displacement[0, 1, 2, 3] = torch.nan, torch.inf, -3e38
    matrix = torch.eye(2, 3)
    read = ops.sample(image, matrix, displacement, interpolation=interpolation)[0, 0]
    assert float(read[1, 1]) == pytest.approx(1)
    assert torch.isfinite(read).all()
    read = ops.sample(image, matrix, displacement, interpolation=interpolation, outside=0.0)[0, 0]
    assert (read == 0).nonzero().tolist() == [[1, 1], [2, 2], [2, 3]]


def test_the_affine_part_is_folded_in_double_precision():
    image = torch.arange(1000.0).view(1, 1, 1, 1000)
    matrix = torch.tensor([[0, 0, 0], [0, 0.001, 123456.0 - 123000.0]], dtype=torch.float64)
    read = ops.sample(image, matrix, shape=(1, 1000)).flatten().double()
    torch.testing.assert_close(read, 456 + 0.001 * torch.arange(1000.0).double(), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"interpolation": "bilinear"}, "no interpolation 'bilinear'; choose one of nearest, linear, cubic"),
        ({"matrix": torch.eye(3, 4)}, r"2D image needs a \(2, 3\) matrix; got \(3, 4\)"),
        ({"matrix": torch.zeros(1, 1, 2, 3)}, r"got \(1, 1, 2, 3\)"),
        ({"displacement": torch.zeros(1, 3, 4, 5)}, r"\(b, 2, \*shape\) displacement; got \(1, 3, 4, 5\)"),
        ({"displacement": torch.zeros(2, 4, 5)}, r"displacement; got \(2, 4, 5\)"),
        ({"displacement": None}, "needs an output shape or a displacement"),
        ({"displacement": None, "shape": (4, 5, 6)}, r"grid of 2 axes; got the shape \(4, 5, 6\)"),
        ({"mix": torch.eye(3)}, r"\(2, 2\) mix; got \(3, 3\)"),
        ({"image": torch.zeros(2, 1, 4, 5), "displacement": torch.zeros(3, 2, 4, 5)}, r"one batch size \(or 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    arguments = {"image": torch.zeros(1, 1, 4, 5), "matrix": torch.eye(2, 3), "displacement": torch.zeros(1, 2, 4, 5)}
    with pytest.raises(InputError, match=message):
        ops.sample(**{**arguments, **changes})


def test_inside_needs_a_grid():
    with pytest.raises(InputError, match="output shape or a displacement"):
        ops.inside((4, 5), torch.eye(2, 3))

"""How an image happens to be stored, and in which unit, changes no answer."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullback.image import Image, Labels
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Velocity, resample, resample_labels

few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 2**31)
KINDS = ["affine", "displacement", "velocity", "inverse", "composite"]


def restored(space: Space, data: torch.Tensor, order: list[int], flips: list[int]) -> tuple[Space, torch.Tensor]:
    """The same voxels stored with the axes in another order and some the other way round; data ends in the axes."""
    before = data.ndim - space.dimension
    space, data = space.permute(order), data.permute(*range(before), *[before + a for a in order])
    for axis in flips:
        space, data = space.flip(axis), data.flip(before + axis)
    return space, data.contiguous()


@st.composite
def orientations(draw, d: int) -> tuple[list[int], list[int]]:
    """One of the 8 (2D) or 48 (3D) ways to store a grid."""
    return draw(st.permutations(range(d))), [a for a in range(d) if draw(st.booleans())]


@pytest.fixture
def build(oblique_space, smooth_field):
    """A transform of some kind, all its lengths times `scale`, its field stored in some orientation."""

    def make(kind: str, d: int, seed: int, scale: float = 1.0, orientation=None):
        space = oblique_space(d, scale=scale)
        field = scale * smooth_field(oblique_space(d), seed=seed, dtype=torch.float64)
        if orientation is not None:
            space, field = restored(space, field, *orientation)
        random = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        affine = Affine.about(torch.eye(d) + 0.05 * random, scale * random[0], space.centre)
        displacement = Displacement(field, space)
        return {
            "affine": affine,
            "displacement": displacement,
            "velocity": Velocity(field, space),
            "inverse": displacement.inverse(),
            "composite": affine @ displacement,  # double precision throughout: an affine that comes first is single
        }[kind]

    return make


@pytest.mark.parametrize("kind", KINDS[1:])
@few
@given(st.data(), seeds)
def test_the_orientation_of_its_grid_does_not_matter_to_a_transform(
    kind, dimension, build, oblique_space, points_inside, data, seed
):
    points = points_inside(oblique_space(dimension), part=1.2)  # some beyond the grid
    plain, stored = (
        build(kind, dimension, seed),
        build(kind, dimension, seed, orientation=data.draw(orientations(dimension))),
    )
    tolerance = 2e-4 if kind == "inverse" else 1e-9
    torch.testing.assert_close(stored(points), plain(points), atol=tolerance, rtol=0)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
@few
@given(st.data(), seeds)
def test_the_orientation_of_images_does_not_matter_to_resampling(
    interpolation, dimension, build, oblique_space, data, seed
):
    """Neither that of the moving image, nor that of the grid to make."""
    moving, transform = oblique_space(dimension), build("composite", dimension, seed)
    onto = moving.permute([1, 0, 2][:dimension]).resized((13, 11, 9)[:dimension])
    image = torch.randn(1, *moving.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = resample(Image(image, moving), transform, onto, interpolation, outside=-5.0)

    space, stored = restored(moving, image, *data.draw(orientations(dimension)))
    found = resample(Image(stored, space), transform, onto, interpolation, outside=-5.0)
    torch.testing.assert_close(found.data, expected.data, atol=1e-9, rtol=0)

    grid, wanted = restored(onto, expected.data, *data.draw(orientations(dimension)))
    found = resample(Image(image, moving), transform, grid, interpolation, outside=-5.0)
    torch.testing.assert_close(found.data, wanted, atol=1e-9, rtol=0)


@pytest.mark.parametrize("smooth", [False, True])
@few
@given(st.data(), seeds)
def test_the_orientation_of_labels_does_not_matter(smooth, dimension, build, oblique_space, data, seed):
    moving, transform = oblique_space(dimension), build("composite", dimension, seed)
    labels = torch.randint(0, 4, moving.shape, generator=torch.Generator().manual_seed(seed))
    expected = resample_labels(Labels(labels, moving), transform, moving, smooth)
    space, stored = restored(moving, labels, *data.draw(orientations(dimension)))
    found = resample_labels(Labels(stored, space), transform, moving, smooth)
    # in single precision a voxel in a thousand lies so near a border that it may fall on either side
    assert float((found.data != expected.data).double().mean()) <= 2e-3


@few
@given(st.data(), seeds)
def test_the_orientation_of_its_grid_does_not_matter_to_a_jacobian(dimension, build, data, seed):
    orientation = data.draw(orientations(dimension))
    plain, stored = (
        build("displacement", dimension, seed),
        build("displacement", dimension, seed, orientation=orientation),
    )
    _, expected = restored(plain.space, plain.jacobian(), *orientation)
    torch.testing.assert_close(stored.jacobian(), expected)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(st.floats(0.01, 100), seeds)
def test_scaling_the_millimetres_scales_the_answer(kind, dimension, build, oblique_space, points_inside, scale, seed):
    points = points_inside(oblique_space(dimension))
    small, large = build(kind, dimension, seed), build(kind, dimension, seed, scale)
    tolerance = 2e-4 * max(1, 1 / scale) if kind == "inverse" else 1e-8  # its tolerance is in millimetres
    torch.testing.assert_close(large(scale * points) / scale, small(points), atol=tolerance, rtol=0)


@few
@given(st.floats(0.01, 100), seeds)
def test_scaling_the_millimetres_changes_no_image(dimension, build, oblique_space, scale, seed):
    small, large = oblique_space(dimension), oblique_space(dimension, scale=scale)
    data = torch.randn(1, *small.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = resample(Image(data, small), build("composite", dimension, seed), small, outside=None)
    found = resample(Image(data, large), build("composite", dimension, seed, scale), large, outside=None)
    torch.testing.assert_close(found.data, expected.data, atol=1e-6, rtol=0)


@few
@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.sampled_from(KINDS), seeds)
def test_composition_is_associative(dimension, build, oblique_space, points_inside, one, two, three, seed):
    a, b, c = (build(kind, dimension, seed + k) for k, kind in enumerate((one, two, three)))
    points = points_inside(oblique_space(dimension))
    torch.testing.assert_close(((a @ b) @ c)(points), (a @ (b @ c))(points), atol=1e-9, rtol=0)
    torch.testing.assert_close(((a @ b) @ c)(points), a(b(c(points))), atol=1e-9, rtol=0)


@few
@given(st.sampled_from(KINDS), seeds)
def test_the_inverse_after_the_transform_is_the_identity(dimension, build, oblique_space, points_inside, kind, seed):
    transform, points = build(kind, dimension, seed), points_inside(oblique_space(dimension))
    error = float(((transform.inverse() @ transform)(points) - points).norm(dim=-1).max())
    assert error < (0.06 if kind == "velocity" else 5e-4)


@few
@given(st.lists(st.integers(-4, 4), min_size=2, max_size=2))
def test_a_known_shift_moves_the_image_by_minus_that_shift(shift):
    image = Image.of(torch.randn(12, 13, generator=torch.Generator().manual_seed(0)))
    rows, columns = shift
    move = Affine.translation(image.space.linear @ torch.tensor(shift, dtype=torch.float64))
    warped = resample(image, move, image.space, outside=0.0).data[0]
    rolled = image.data[0].roll((-rows, -columns), dims=(0, 1))
    inner = (slice(4, -4), slice(4, -4))
    torch.testing.assert_close(warped[inner], rolled[inner], atol=1e-5, rtol=0)

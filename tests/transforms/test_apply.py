"""Pulling images and labels back, against SimpleITK with the same transform built by hand in its own (LPS) world."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback.errors import InputError, SpaceError
from pullback.image import Image, Labels
from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement, resample, resample_labels

INTERPOLATORS = {"nearest": sitk.sitkNearestNeighbor, "linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}
KINDS = ["affine", "displacement", "composite"]
OUTSIDE = -3.0


def signs(d: int) -> np.ndarray:
    """RAS+ to LPS and back: x and y change sign."""
    return np.array([-1.0, -1.0, 1.0][:d])


def to_sitk(array: np.ndarray, space: Space, vector: bool = False) -> sitk.Image:
    """SimpleITK's index runs the other way: its first axis is the last of the array."""
    image = sitk.GetImageFromArray(array, isVector=vector)
    d, matrix = space.dimension, space.matrix.numpy()
    image.SetSpacing(space.spacing[::-1])
    image.SetOrigin((signs(d) * matrix[:d, d]).tolist())
    columns = (signs(d)[:, None] * matrix[:d, :d] / np.array(space.spacing))[:, ::-1]
    image.SetDirection(columns.flatten().tolist())
    return image


def sitk_transform(transform) -> sitk.Transform:
    d = transform.dimension
    if isinstance(transform, Affine):
        matrix, result = transform.matrix.numpy(), sitk.AffineTransform(d)
        result.SetMatrix((signs(d)[:, None] * matrix[:d, :d] * signs(d)).flatten().tolist())
        result.SetTranslation((signs(d) * matrix[:d, d]).tolist())
        return result
    if isinstance(transform, Displacement):
        vectors = np.moveaxis(transform.field.double().numpy(), 0, -1) * signs(d)
        return sitk.DisplacementFieldTransform(to_sitk(np.ascontiguousarray(vectors), transform.space, vector=True))
    return sitk.CompositeTransform([sitk_transform(part) for part in transform.parts])


def grids(d: int, oblique_space) -> tuple[Space, Space]:
    """Where the moving image lies, and the grid to make: other spacing, other axes, partly outside the image."""
    moving = oblique_space(d)
    onto = moving.permute([1, 0, 2][:d]).resized((19, 25, 14)[:d]).crop([-3, 2, -2][:d], [17, 27, 12][:d])
    return moving, onto


@pytest.fixture
def build(oblique_space, smooth_field):
    def make(kind: str, d: int):
        moving, onto = grids(d, oblique_space)
        affine = Affine.rigid(
            9.0 if d == 2 else [4.0, -7.0, 9.0], [1.3, -2.1, 0.7][:d], centre=moving.centre
        ) @ Affine.about(torch.diag(torch.tensor([1.1, 0.95, 1.05])[:d]), centre=moving.centre)
        if kind == "affine":
            return affine
        wide = onto.crop(
            [-6] * d, [n + 6 for n in onto.shape]
        )  # beyond its field ITK moves nothing, we repeat its edge
        displacement = Displacement(smooth_field(wide, largest_mm=3.0, dtype=torch.float64), wide)
        return displacement if kind == "displacement" else Composite((affine, displacement))

    return make


def voxels_read(transform, moving: Space, onto: Space) -> np.ndarray:
    """Where in the moving image each voxel is read, (*shape, D)."""
    return moving.to_voxels(transform(onto.grid())).numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interpolation", INTERPOLATORS)
def test_images_are_those_of_simpleitk(kind, interpolation, dimension, build, oblique_space):
    moving, onto = grids(dimension, oblique_space)
    data = torch.randn(1, *moving.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    transform = build(kind, dimension)
    warped = resample(Image(data, moving), transform, onto, interpolation, OUTSIDE)
    assert warped.space is onto
    expected = sitk.GetArrayFromImage(
        sitk.Resample(
            to_sitk(data[0].numpy(), moving),
            to_sitk(np.zeros(onto.shape), onto),
            sitk_transform(transform),
            INTERPOLATORS[interpolation],
            OUTSIDE,
        )
    )
    outside = expected == OUTSIDE
    assert 0.02 < outside.mean() < 0.8  # both happen
    np.testing.assert_array_equal(warped.data[0].numpy() == OUTSIDE, outside)
    compared = np.ones_like(outside)
    if interpolation == "cubic":  # in the half-voxel rim ITK mirrors the image, we repeat its edge
        at = voxels_read(transform, moving, onto)
        compared = outside | ((at >= 0) & (at <= np.array(moving.shape) - 1)).all(axis=-1)
    np.testing.assert_allclose(warped.data[0].numpy()[compared], expected[compared], atol=1e-6)


def test_the_half_voxel_at_the_border_is_inside():
    """ITK's rule: an image covers its whole voxels, to half a voxel beyond the outer centres."""
    space = Space.of_array((4, 4))
    fine = space.resized((40, 40)).crop((-10, -10), (50, 50))
    warped = resample(Image.of(torch.ones(4, 4)), Affine.identity(2), fine, outside=-1.0).data[0]
    expected = torch.full((60, 60), -1.0)
    expected[10:50, 10:50] = 1
    torch.testing.assert_close(warped, expected, atol=1e-6, rtol=0)


def test_outside_none_repeats_the_edge():
    space = Space.of_array((4, 4))
    ramp = Image.of(torch.arange(4.0).expand(4, 4))
    warped = resample(ramp, Affine.identity(2), space.crop((-3, -3), (7, 7)), outside=None).data[0]
    assert torch.equal(warped, torch.arange(-3.0, 7.0).clamp(0, 3).expand(10, 10))


def test_several_parts_are_read_in_one_interpolation(dimension, oblique_space, smooth_field):
    """There and back again gives the image, not an image blurred twice."""
    space = oblique_space(dimension)
    image = Image(torch.randn(1, *space.shape, generator=torch.Generator().manual_seed(0)), space)
    turn = Affine.rigid(30.0 if dimension == 2 else [10.0, 20.0, 30.0], centre=space.centre)
    field = Displacement(smooth_field(space, dtype=torch.float64), space)
    whole = turn @ field @ field.inverse() @ turn.inverse()
    warped = resample(image, whole, space, outside=None)
    inner = (0, *(slice(3, -3) for _ in range(dimension)))
    torch.testing.assert_close(warped.data[inner], image.data[inner], atol=2e-3, rtol=0)


def test_channels_and_precision_are_kept(oblique_space, smooth_field):
    space = oblique_space(2)
    image = Image(torch.rand(3, *space.shape, dtype=torch.float64), space)
    for transform in (Affine.identity(2), Displacement(smooth_field(space), space)):
        warped = resample(image, transform, space)
        assert warped.data.shape == image.data.shape
        assert warped.data.dtype == torch.float64
        assert resample(Image(image.data.float(), space), transform, space).data.dtype == torch.float32


@pytest.fixture
def labels(oblique_space):
    def make(d: int, background: bool = True) -> Labels:
        """Four blobs with odd numbers, some of them far from the others."""
        space = oblique_space(d)
        at = (space.grid() - space.centre) / 6
        waves = torch.stack([torch.sin(at[..., k % d] * (1 + k / 3) + k) for k in range(4)])
        codes = torch.tensor([0 if background else -7, 2, 500, 2221], dtype=torch.int32)
        return Labels(codes[waves.argmax(dim=0)], space)

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("smooth", [False, True])
def test_labels_are_those_of_simpleitk(kind, smooth, dimension, build, labels, oblique_space):
    moving, onto = grids(dimension, oblique_space)
    transform, given = build(kind, dimension), labels(dimension)
    warped = resample_labels(given, transform, onto, smooth=smooth)
    expected = sitk.GetArrayFromImage(
        sitk.Resample(
            to_sitk(given.numpy(), moving),
            to_sitk(np.zeros(onto.shape, np.int32), onto),
            sitk_transform(transform),
            sitk.sitkLabelLinear if smooth else sitk.sitkNearestNeighbor,
            0,
        )
    )
    assert set(given.values) == {2, 500, 2221} == set(warped.values)
    different = (warped.numpy() != expected).mean()
    assert different == 0 if not smooth else different < 1e-3  # single precision decides ties its own way


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_labels_never_invent_values(smooth, background, dimension, labels, oblique_space):
    given = labels(dimension, background)
    _, onto = grids(dimension, oblique_space)
    turn = Affine.rigid(20.0 if dimension == 2 else [20.0, 0, 20.0], centre=given.space.centre)
    warped = resample_labels(given, turn, onto, smooth=smooth)
    assert warped.data.dtype == given.data.dtype
    assert set(warped.values) == set(given.values)
    assert bool((warped.data == 0).any())  # outside


@pytest.mark.parametrize("smooth", [False, True])
def test_labels_on_their_own_grid_stay_as_they_are(smooth, dimension, labels):
    for background in (False, True):
        given = labels(dimension, background)
        warped = resample_labels(given, Affine.identity(dimension), given.space, smooth=smooth)
        assert torch.equal(warped.data, given.data)


def test_smooth_labels_leave_no_hole_where_three_meet():
    """Midway in a 2 x 2 block of three labels, the one with half the block wins, though none has more than half."""
    given = Labels.of(torch.tensor([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 1, 1], [3, 3, 1, 1]]))
    fine = given.space.resized((12, 12))
    assert 0 not in resample_labels(given, Affine.identity(2), fine, smooth=True).data
    three = Labels.of(torch.tensor([[1, 2], [3, 4]]))
    assert 0 not in resample_labels(three, Affine.identity(2), three.space.resized((9, 9)), smooth=True).data


def test_smooth_labels_have_smoother_outlines():
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    disc = Labels.of(((rows - 5.5) ** 2 + (columns - 5.5) ** 2 <= 16).int())
    fine = disc.space.resized((96, 96))

    def outline(smooth: bool) -> int:
        data = resample_labels(disc, Affine.identity(2), fine, smooth=smooth).data
        return int((data.diff(dim=0) != 0).sum() + (data.diff(dim=1) != 0).sum())

    nearest = resample_labels(disc, Affine.identity(2), fine).data
    smoothed = resample_labels(disc, Affine.identity(2), fine, smooth=True).data
    assert float(smoothed.sum()) == pytest.approx(float(nearest.sum()), rel=0.1)
    corners = [int((d.diff(dim=0)[:, 1:] * d.diff(dim=1)[1:]).abs().sum()) for d in (nearest, smoothed)]
    assert corners[1] > 2 * corners[0]  # many small steps instead of a few large ones
    assert outline(True) <= outline(False)


def test_what_does_not_fit_is_refused(oblique_space, labels):
    flat, solid = oblique_space(2), oblique_space(3)
    image = Image(torch.zeros(1, *flat.shape), flat)
    for transform, onto in ((Affine.identity(3), flat), (Affine.identity(2), solid)):
        with pytest.raises(SpaceError, match=r"cannot pull a 2D image back through a .D transform onto a .D grid"):
            resample(image, transform, onto)
        with pytest.raises(SpaceError, match="all three must agree"):
            resample_labels(labels(2), transform, onto)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_interpolation_is_refused(oblique_space):
    image = Image(torch.zeros(1, 22, 31), oblique_space(2))
    with pytest.raises(InputError, match="no interpolation 'bicubic'; choose one of nearest, linear, cubic"):
        resample(image, Affine.identity(2), image.space, "bicubic")

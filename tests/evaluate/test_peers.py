"""Our figures beside those of SimpleITK, scipy and formulas written a second time."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from pullback.errors import InputError
from pullback.evaluate import (
    compare_labels,
    deformation,
    dice,
    inverse_consistency,
    jaccard,
    likeness,
    summarise,
    surface_distances,
    target_registration_error,
)
from pullback.image import Image, Labels, Points
from pullback.phantom import known_warp
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SHAPE, SPACING = (14, 17, 15), (3.0, 1.2, 2.0)


def to_sitk(array, spacing=SPACING, vectors=False):
    image = sitk.GetImageFromArray(array, isVector=vectors)
    image.SetSpacing([float(s) for s in reversed(spacing)])
    return image


def blobs(seed, count):
    """Random label maps of smooth shapes."""
    draw = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(draw.standard_normal((count, 2, *SHAPE)), (0, 0, 1.5, 1.5, 1.5))
    return [np.where(n[0] > 0.03, 1 + (n[1] > 0), 0).astype(np.int16) for n in noise]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_overlap_against_simpleitk(seed):
    a, b = blobs(seed, 2)
    judge = sitk.LabelOverlapMeasuresImageFilter()
    judge.Execute(to_sitk(a), to_sitk(b))
    fixed, warped = Labels.of(a, SPACING), Labels.of(b, SPACING)
    for label, value in dice(fixed, warped).items():
        assert value == pytest.approx(judge.GetDiceCoefficient(label))
        assert jaccard(fixed, warped)[label] == pytest.approx(judge.GetJaccardCoefficient(label))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_hausdorff_against_simpleitk(seed):
    """SimpleITK takes centres of voxels of the whole shapes, not surfaces: at most a voxel's diagonal apart."""
    a, b = blobs(seed, 2)
    a, b = ((x > 0).astype(np.uint8) for x in (a, b))
    judge = sitk.HausdorffDistanceImageFilter()
    judge.Execute(to_sitk(a), to_sitk(b))
    found = surface_distances(Labels.of(a, SPACING), Labels.of(b, SPACING))[1]
    assert abs(found.hausdorff() - judge.GetHausdorffDistance()) <= math.hypot(*SPACING)
    assert found.hausdorff(95.0) <= found.hausdorff()


def test_jacobian_against_simpleitk():
    space = Space.of_array(SHAPE, SPACING)
    field = known_warp(space, 2, max_mm=7.0, smoothness_mm=4.0).displace(space)
    vectors = (field * torch.tensor([-1.0, -1.0, 1.0])[:, None, None, None]).movedim(0, -1).numpy()  # LPS
    judge = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(to_sitk(vectors, vectors=True)))
    inner = torch.zeros(SHAPE, dtype=torch.bool)
    inner[1:-1, 1:-1, 1:-1] = True
    found = deformation(Displacement(field, space), space, inner)
    values = judge[inner.numpy()]
    assert found.jacobian_min == pytest.approx(values.min(), abs=1e-4)
    assert found.jacobian_max == pytest.approx(values.max(), abs=1e-4)
    assert found.fold_percent == pytest.approx(100 * (values <= 0).mean())
    assert found.sdlogj == pytest.approx(np.log(values.clip(1e-9)).std(), rel=1e-3)


@pytest.mark.parametrize("size", [1.5, 4.0])
def test_sdlogj_of_learn2reg_from_its_formula(size):
    """Central differences by correlation, two voxels of border cut, log(J + 3): written again from its description."""
    field = ndimage.gaussian_filter(np.random.default_rng(4).standard_normal((3, *SHAPE)), (0, 1.5, 1.5, 1.5))
    field = (size * field / field.std() / 4).astype(np.float32)
    kernel = np.array([-0.5, 0, 0.5])
    slopes = [[ndimage.correlate1d(c, kernel, axis=axis) for axis in range(3)] for c in field]
    matrices = np.moveaxis(np.array(slopes), (0, 1), (-2, -1)) + np.eye(3)
    expected = np.log((np.linalg.det(matrices)[2:-2, 2:-2, 2:-2] + 3).clip(1e-9, 1e9)).std()
    space = Space.of_array(SHAPE, SPACING)
    mm = torch.einsum("ij,j...->i...", space.linear.float(), torch.from_numpy(field))
    assert deformation(Displacement(mm, space), space).sdlogj_l2r == pytest.approx(expected, rel=1e-4)


def test_sdlogj_of_learn2reg_is_about_a_quarter_of_the_plain_one():
    space = Space.of_array((40, 40, 40))
    found = deformation(known_warp(space, 1, max_mm=3.0), space)
    assert found.sdlogj_l2r == pytest.approx(found.sdlogj / 4, rel=0.15)


def images(seed=0):
    draw = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(draw.standard_normal((2, *SHAPE)), (0, 1, 1, 1))
    fixed = (100 + 40 * smooth[0] / smooth[0].std()).astype(np.float32)
    return fixed, (fixed * 0.8 + 30 * smooth[1] / smooth[1].std()).astype(np.float32)


def test_mse_and_ncc_against_simpleitk():
    fixed, moving = images()
    method = sitk.ImageRegistrationMethod()
    method.SetInitialTransform(sitk.TranslationTransform(3))
    method.SetInterpolator(sitk.sitkLinear)
    pair = to_sitk(fixed), to_sitk(moving)
    method.SetMetricAsMeanSquares()
    mse = method.MetricEvaluate(*pair)
    method.SetMetricAsCorrelation()
    minus_square = method.MetricEvaluate(*pair)
    found = likeness(Image.of(fixed, SPACING), Image.of(moving, SPACING), Affine.identity(3))
    assert found.mse == pytest.approx(mse, rel=1e-4)
    assert found.ncc == pytest.approx(math.sqrt(-minus_square), rel=1e-4)
    assert found.overlap_percent == 100


def test_nmi_and_lncc_from_their_formulas():
    fixed, moving = images(3)
    joint = np.histogram2d(fixed.ravel(), moving.ravel(), bins=64)[0]
    entropies = [stats.entropy(x.ravel()) for x in (joint.sum(1), joint.sum(0), joint)]
    found = likeness(Image.of(fixed, SPACING), Image.of(moving, SPACING), Affine.identity(3))
    assert found.nmi == pytest.approx((entropies[0] + entropies[1]) / entropies[2], rel=1e-6)
    box = (2 * 2 + 1, 2 * 4 + 1, 2 * 2 + 1)  # a reach of 4 x 1.2 mm along each axis
    whole = ndimage.uniform_filter(np.ones(SHAPE), box, mode="constant")
    one, two = ((x - np.percentile(x, 0.1)) / np.ptp(np.percentile(x, [0.1, 99.8])) for x in (fixed, moving))
    f, m, ff, mm, fm = (
        ndimage.uniform_filter(x.astype(float), box, mode="constant") / whole  # boxes are cut off at the border
        for x in (one, two, one**2, two**2, one * two)
    )
    cov, var = fm - f * m + 1e-3, (ff - f**2 + 1e-3) * (mm - m**2 + 1e-3)  # the small variance of `ops.lncc`
    assert found.lncc == pytest.approx((np.sign(cov) * cov**2 / var).mean(), rel=1e-4)


def test_likeness_where_images_do_not_meet_and_where_they_do():
    fixed, _ = images()
    image = Image.of(fixed, SPACING)
    far = likeness(image, image, Affine.translation([500.0, 0.0, 0.0]))
    assert far.overlap_percent == 0
    assert math.isnan(far.ncc)
    half = likeness(image, image, Affine.translation([0.0, 0.0, 6.0]))
    assert 80 < half.overlap_percent < 90
    constant = Image.of(np.ones(SHAPE), SPACING)
    assert math.isnan(likeness(image, constant, Affine.identity(3)).ncc)
    holed = fixed.copy()
    holed[3, 4, 5] = np.nan
    assert likeness(Image.of(holed, SPACING), image, Affine.identity(3)).mse == 0
    with pytest.raises(InputError, match="channels"):
        likeness(image, Image(torch.zeros(2, *SHAPE), image.space), Affine.identity(3))


def test_errors_in_few_figures():
    draw = np.random.default_rng(0).gamma(2.0, 1.5, 101)
    found = summarise(torch.from_numpy(np.append(draw, np.nan)))
    assert (found.mean, found.median, found.p95) == pytest.approx(
        (draw.mean(), np.median(draw), np.percentile(draw, 95))
    )
    assert found.largest == draw.max()
    assert found.within_2mm_percent == pytest.approx(100 * (draw < 2).sum() / 101)
    assert (found.count, found.left_out) == (101, 1)
    with pytest.raises(InputError, match="no error"):
        summarise(torch.full((3,), torch.nan))


def test_tre_against_simpleitk():
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((1.1, 0.1, 0, -0.05, 0.95, 0.02, 0, 0, 1.05))
    affine.SetTranslation((3.0, -4.0, 5.0))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = np.array(affine.GetMatrix()).reshape(3, 3), affine.GetTranslation()
    lps = np.diag([-1.0, -1.0, 1.0, 1.0])
    points = np.random.default_rng(1).uniform(-50, 50, (2, 9, 3))
    fixed, moving = (Points(torch.from_numpy(p)) for p in points)
    found = target_registration_error(Affine(torch.from_numpy(lps @ matrix @ lps)), fixed, moving)
    sign = lps.diagonal()[:3]
    expected = [
        np.linalg.norm(np.array(affine.TransformPoint((x * sign).tolist())) - y * sign)
        for x, y in zip(*points, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected)


def test_there_and_back():
    space = Space.of_array((24, 26), 1.5)
    there = Affine.translation([4.0, 0.0])
    assert float(inverse_consistency(there, there.inverse(), space).max()) == 0
    gap = inverse_consistency(there, Affine.translation([-4.0, 3.0]), space)
    assert float(gap.min()) == float(gap.max()) == 3
    warp = known_warp(space, 1, max_mm=5.0)
    assert float(inverse_consistency(warp, warp.inverse(), space).mean()) < 0.05
    assert float(inverse_consistency(warp, warp, space).mean()) > 1
    with pytest.raises(InputError, match="3D"):
        inverse_consistency(there, Affine.identity(3), space)


def test_label_maps_side_by_side():
    a, b = blobs(5, 2)
    b[b == 2] = 7
    found = compare_labels(Labels.of(a, SPACING), Labels.of(b, SPACING))
    assert found["dice"] == found.find("dice", 1).value == dice(Labels.of(a), Labels.of(b))[1]
    assert math.isnan(found.find("hd95_mm", 7).value)
    assert [note.split(":")[0] for note in found.notes] == [
        "label 2 is only in the first map",
        "label 7 is only in the second map",
    ]

import pytest
import torch

from pullback.errors import InputError
from pullback.evaluate import deformation
from pullback.image import Image, Labels
from pullback.phantom import AffineRange, heart, heart_pair, heart_space, known_warp, random_affine, warp_pair
from pullback.space import Space
from pullback.transforms import Affine, Velocity, resample, resample_labels

FLAT = Space.of_array((90, 100), (2.0, 1.5))
STACK = Space.of_array((10, 48, 50), (8.0, 3.0, 3.0))


@pytest.mark.parametrize("space", [FLAT, STACK], ids=["2D", "3D"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_warp_is_as_large_as_asked_and_has_an_inverse(space, seed):
    warp = known_warp(space, seed, max_mm=7.0, smoothness_mm=22.0)
    assert isinstance(warp, Velocity)
    summary = deformation(warp, space, inverse=True)
    assert summary.largest_mm == pytest.approx(7.0, rel=0.02)
    assert summary.jacobian_min > 0.2
    assert summary.inverse_max_mm < 0.2
    assert summary.inverse_mean_mm < 0.02


def test_it_keeps_the_rim_of_the_field_of_view():
    field = known_warp(FLAT, 3).displace(FLAT)
    rim = torch.cat([field[:, 0], field[:, -1], field[:, :, 0], field[:, :, -1]], dim=1)
    assert float(rim.abs().max()) < 1e-5


def test_a_single_slice_stays_in_its_plane():
    space = Space.of_array((1, 60, 60), (8.0, 2.0, 2.0))
    field = known_warp(space, 1).displace(space)
    assert float(field[2].abs().max()) < 1e-5
    assert float(field[:2].norm(dim=0).max()) == pytest.approx(8.0, rel=0.01)


def test_smoothness():
    rough, smooth = (known_warp(FLAT, 1, max_mm=3.0, smoothness_mm=s).displace(FLAT) for s in (8.0, 30.0))
    assert float(rough.diff(dim=1).abs().mean()) > 2 * float(smooth.diff(dim=1).abs().mean())


def test_same_seed_same_bits():
    ranges = AffineRange()
    a, b, c = (known_warp(FLAT, seed, affine=ranges).displace(FLAT) for seed in (4, 4, 5))
    assert torch.equal(a, b)
    assert not torch.allclose(a, c, atol=0.1)


def test_an_affine_part_stays_within_its_ranges():
    ranges = AffineRange(angle_degrees=10, scale=0.1, shear=0.0, shift_mm=5)
    for seed in range(20):
        affine = random_affine(STACK, ranges, seed)
        sizes = torch.linalg.svdvals(affine.linear)
        assert 1 / 1.1 - 1e-9 <= float(sizes.min()) <= float(sizes.max()) <= 1.1 + 1e-9
        assert float((affine(STACK.centre) - STACK.centre).abs().max()) <= 5.0
    still = random_affine(FLAT, AffineRange(0, 0, 0, 0))
    assert torch.allclose(still.matrix, torch.eye(3, dtype=torch.float64), atol=1e-12)


def test_affine_comes_after_the_deformation():
    warp = known_warp(FLAT, 2, max_mm=5.0, affine=AffineRange())
    plain, affine = known_warp(FLAT, 2, max_mm=5.0), random_affine(FLAT, AffineRange(), 2)
    points = FLAT.grid()
    assert torch.allclose(warp(points), affine(plain(points)))
    assert isinstance(known_warp(FLAT, 2, max_mm=0, affine=AffineRange()), Affine)


def test_a_warp_that_would_fold_is_refused():
    with pytest.raises(InputError, match="folds"):
        known_warp(FLAT, 0, max_mm=60.0, smoothness_mm=3.0)
    with pytest.raises(InputError, match="smoothness_mm"):
        known_warp(FLAT, 0, smoothness_mm=0.0)


def test_a_pair_from_any_image():
    phantom = heart(2, space=heart_space(2, (80, 80), (3, 3)), noise=0, bias=0)
    truth = known_warp(phantom.image.space, 1, affine=AffineRange())
    pair = warp_pair(phantom.image, truth, phantom.labels)
    assert pair.moving is phantom.image
    assert pair.truth is truth
    again = resample(pair.moving, pair.truth, pair.fixed.space, "cubic")
    assert torch.equal(pair.fixed.data, again.data)
    assert torch.equal(pair.fixed_labels.data, resample_labels(phantom.labels, truth, pair.fixed.space).data)


def test_noise_and_bias_differ_on_both():
    image = Image.of(torch.ones(60, 60))
    pair = warp_pair(image, Affine.identity(2), noise=0.05, bias=0.1, seed=1)
    assert float(pair.fixed.data.std()) > 0.08
    assert float((pair.fixed.data - pair.moving.data).std()) > 0.08
    same = warp_pair(image, Affine.identity(2), noise=0.05, bias=0.1, seed=1)
    assert torch.equal(pair.fixed.data, same.fixed.data)
    assert torch.equal(pair.moving.data, same.moving.data)


@pytest.mark.parametrize("dimension", [2, 3])
def test_two_hearts(dimension):
    space = heart_space(2, (180, 180), (1.3, 1.3)) if dimension == 2 else heart_space(3, (36, 60, 60), (2.8, 3.0, 3.0))
    pair = heart_pair(dimension, space=space, seed=3, noise=0, bias=0)
    warped = resample(pair.moving, pair.truth, space, "cubic", outside=None)
    inside = pair.fixed_labels.data > 0
    error = float((warped.data - pair.fixed.data).abs()[0][inside].mean())
    still = float((pair.moving.data - pair.fixed.data).abs()[0][inside].mean())
    assert error < 0.02
    assert error < 0.2 * still


def test_two_hearts_of_two_contrasts():
    space = heart_space(2, (64, 64), (4, 4))
    pair = heart_pair(space=space, moving_contrast="t2", seed=1)
    blood = [float(im.data[0][lab.data == 3].mean()) for im, lab in
             ((pair.fixed, pair.fixed_labels), (pair.moving, pair.moving_labels))]  # fmt: skip
    assert blood[0] > 3 * blood[1]
    assert isinstance(pair.fixed_labels, Labels)

"""`lncc` against explicit loops over voxels and boxes."""

import itertools

import numpy as np
import pytest
import torch

from pullback import ops
from pullback.errors import InputError
from pullback.ops.lncc import FLOOR

SIZES = {2: (7, 9), 3: (4, 6, 5)}
RADII = {2: (2, 1), 3: (1, 2, 0)}


def images(d, count=2, seed=0):
    return torch.rand(count, 1, 1, *SIZES[d], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def oracle(fixed, warped, radius, weight=None, floor=FLOOR, threshold=np.inf):
    """1 minus the weighted mean of the signed squared correlation in a box around each voxel."""
    fixed, warped = fixed.numpy(), warped.numpy()
    weight = np.ones(fixed.shape) if weight is None else weight.numpy()
    total = 0.0
    for voxel in itertools.product(*(range(n) for n in fixed.shape)):
        box = tuple(slice(max(v - r, 0), v + r + 1) for v, r in zip(voxel, radius, strict=True))
        w, f, g = weight[box], fixed[box], warped[box]
        if weight[voxel] == 0:
            continue
        f, g = f - (w * f).sum() / w.sum(), g - (w * g).sum() / w.sum()
        cov, var_f, var_g = ((w * a * b).sum() / w.sum() for a, b in ((f, g), (f, f), (g, g)))
        cov += floor
        unlike = 1 - cov * abs(cov) / ((var_f + floor) * (var_g + floor))
        total += weight[voxel] * (1 + 1 / threshold) * unlike / (1 + unlike / threshold)
    return total / weight[weight > 0].sum()


def test_values_are_those_of_the_loops(dimension):
    fixed, warped = images(dimension)
    expected = oracle(fixed[0, 0], warped[0, 0], RADII[dimension])
    assert float(ops.lncc(fixed, warped, RADII[dimension])) == pytest.approx(expected, abs=1e-9)


def test_the_floor_is_a_choice(dimension):
    fixed, warped = images(dimension)
    losses = []
    for floor in (1e-6, 0.1):
        expected = oracle(fixed[0, 0], warped[0, 0], RADII[dimension], floor=floor)
        losses.append(float(ops.lncc(fixed, warped, RADII[dimension], floor=floor)))
        assert losses[-1] == pytest.approx(expected, abs=1e-9)
    assert losses[1] < losses[0] - 0.1
    with pytest.raises(InputError, match="must be positive; got 0"):
        ops.lncc(fixed, warped, RADII[dimension], floor=0.0)


def test_what_is_unlike_counts_less_beyond_the_threshold(dimension):
    fixed, warped = images(dimension)
    bounded = float(ops.lncc(fixed, warped, RADII[dimension], threshold=0.3))
    opposed = [float(ops.lncc(fixed, -fixed, RADII[dimension], threshold=t, floor=1e-9)) for t in (torch.inf, 0.3)]
    assert bounded == pytest.approx(oracle(fixed[0, 0], warped[0, 0], RADII[dimension], threshold=0.3), abs=1e-9)
    assert opposed == pytest.approx([2.0, 2 * (1 + 1 / 0.3) / (1 + 2 / 0.3)], abs=1e-3)
    assert float(ops.lncc(fixed, fixed, RADII[dimension], threshold=0.3)) == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="must be positive; got 0"):
        ops.lncc(fixed, warped, RADII[dimension], threshold=0.0)


@pytest.mark.parametrize("kind", ["soft", "mask"])
def test_weighted_values_are_those_of_the_loops(dimension, kind):
    fixed, warped, weight = images(dimension, 3)
    weight = weight if kind == "soft" else (weight > 0.6).double()
    expected = oracle(fixed[0, 0], warped[0, 0], RADII[dimension], weight[0, 0])
    assert float(ops.lncc(fixed, warped, RADII[dimension], weight)) == pytest.approx(expected, abs=1e-9)


def test_what_has_no_weight_does_not_matter(dimension):
    fixed, warped, weight = images(dimension, 3)
    weight = (weight > 0.5).double()
    other = torch.where(weight > 0, warped, 100 * torch.rand_like(warped))
    before, after = (ops.lncc(fixed, w, RADII[dimension], weight) for w in (warped, other))
    torch.testing.assert_close(before, after, atol=1e-9, rtol=0)


def test_the_scale_goes_from_perfect_to_opposed(dimension):
    image, other = images(dimension)
    box = (2,) * dimension
    assert float(ops.lncc(image, image, box)) == pytest.approx(0, abs=1e-4)
    strong = 10 * image  # far above the floor of the variance, which counts for agreement
    assert float(ops.lncc(strong, 3 * strong + 7, box)) == pytest.approx(0, abs=1e-4)
    assert float(ops.lncc(strong, -strong, box)) == pytest.approx(2, abs=2e-3)
    assert 0.9 < float(ops.lncc(image, other, box)) < 1.1
    assert float(ops.lncc(strong, torch.full_like(image, 0.5), box)) == pytest.approx(1, abs=1e-3)


def test_contrast_far_below_the_floor_does_not_count(dimension):
    """Noise in air must not pull: faint unrelated textures agree nearly as well as two flat images."""
    image, other = images(dimension)
    faint = [0.002 * x for x in (image, other)]
    assert float(ops.lncc(*faint, (2,) * dimension)) < 1e-3
    assert float(ops.lncc(image, other, (2,) * dimension)) > 0.9


def test_the_mean_goes_over_channels_and_not_over_the_batch(dimension):
    a, b, c, d = images(dimension, 4)
    one, two = (ops.lncc(x, y, RADII[dimension]) for x, y in ((a, b), (c, d)))
    channels = ops.lncc(torch.cat([a, c], dim=1), torch.cat([b, d], dim=1), RADII[dimension])
    torch.testing.assert_close(channels, (one + two) / 2, atol=1e-7, rtol=0)
    batch = ops.lncc(torch.cat([a, c]), torch.cat([b, d]), RADII[dimension])
    torch.testing.assert_close(batch, torch.cat([one, two]), atol=1e-7, rtol=0)
    torch.testing.assert_close(
        ops.lncc(a, torch.cat([b, b]), RADII[dimension]), torch.cat([one, one]), atol=1e-7, rtol=0
    )


def test_single_precision_is_enough_for_faint_texture_on_a_steep_ramp():
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, 40).expand(1, 1, 40, 40, 40)
    fixed, warped = (ramp + 0.01 * torch.rand(1, 1, 40, 40, 40, generator=generator) for _ in range(2))
    double = warped.double().requires_grad_()
    single = warped.clone().requires_grad_()
    ops.lncc(fixed.double(), double, (2, 2, 2)).sum().backward()
    ops.lncc(fixed, single, (2, 2, 2)).sum().backward()
    assert float((single.grad - double.grad).norm() / double.grad.norm()) < 1e-4


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("warped", "radius", "weight", "message"),
    [
        ((1, 1, 4, 6), (1, 1), None, "two images of one shape and a radius per axis"),
        ((1, 1, 4, 5), (1,), None, r"radius per axis; got \(1, 1, 4, 5\), \(1, 1, 4, 5\), \(1,\)"),
        ((1, 1, 4, 5), (1, 1), (1, 1, 1, 1), r"weight must be \(b, 1, 4, 5\); got \(1, 1, 1, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(warped, radius, weight, message):
    weight = None if weight is None else torch.ones(weight)
    with pytest.raises(InputError, match=message):
        ops.lncc(torch.zeros(1, 1, 4, 5), torch.zeros(warped), radius, weight)

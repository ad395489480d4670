"""What every similarity promises: 0 is perfect, lower is better, weights decide what counts, items do not mix."""

import math

import pytest
import torch

from pullback.energy import (
    LNCC,
    MIND,
    MSE,
    NCC,
    CorrelationRatio,
    MattesMutualInformation,
    MutualInformation,
    NormalisedGradient,
    NormalisedMutualInformation,
    RegionalMutualInformation,
    RobustDifference,
    SoftDice,
    Term,
    WeightedSum,
)
from pullback.errors import InputError
from pullback.space import Space

SIMILARITIES = {
    "mse": MSE(),
    "ncc": NCC(),
    "lncc": LNCC(radius_voxels=2),
    "lncc-robust": LNCC(radius_voxels=2, threshold=0.5),
    "mind": MIND(radius_voxels=1, dilation_voxels=2),
    "mind-plain": MIND(radius_voxels=1, dilation_voxels=2, form="plain"),
    "mutual-information": MutualInformation(bins=24),
    "mutual-information-plain": MutualInformation(bins=24, normalised=False),
    "mattes": MattesMutualInformation(bins=24),
    "studholme": NormalisedMutualInformation(bins=24),
    "regional": RegionalMutualInformation(parts=3, bins=12),
    "correlation-ratio": CorrelationRatio(bins=24),
    "gradient": NormalisedGradient(eta=0.05),
    "huber": RobustDifference("huber", 0.2),
    "geman-mcclure": RobustDifference("geman-mcclure", 0.5),
    "tukey": RobustDifference("tukey", 0.8),
    "dice": SoftDice(),
    "weighted-sum": WeightedSum((Term(LNCC(radius_voxels=2), 0.5), Term(MSE(), 10.0))),
}
SHAPES = {"2d": (31, 44), "3d": (12, 17, 21)}
PERFECT = {
    **{"mse": 1e-9, "ncc": 1e-5, "lncc": 1e-3, "mind": 1e-9, "mind-plain": 1e-9, "weighted-sum": 1e-3},
    **{
        "lncc-robust": 1e-3,
        "correlation-ratio": 0.02,
        "gradient": 1e-5,
        "huber": 1e-9,
        "geman-mcclure": 1e-9,
        "tukey": 1e-9,
        "dice": 1e-5,
    },
}
DIFFERENCES = {"mse", "huber", "geman-mcclure", "tukey"}
"""Their unit is a squared difference of brightness, of which even unlike images have little."""
CONTRAST_FREE = ["mutual-information", "mutual-information-plain", "mattes", "studholme", "regional"]
"""How far from 0 identical images may be. The histogram's spline keeps mutual information well above; see below."""

every_similarity = pytest.mark.parametrize("name", SIMILARITIES)
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def textured(shape, seed=0, channels=1, batch=1, dtype=torch.float32):
    """Smooth random texture with values in [0, 1], (batch, channels, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, channels, *[max(2, n // 3) for n in shape], generator=generator, dtype=torch.float64)
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    image = torch.nn.functional.interpolate(image, size=shape, mode=mode, align_corners=True)
    low, high = image.amin(), image.amax()
    return ((image - low) / (high - low)).to(dtype)


def shifted(image, by):
    return image.roll(by, dims=-1)


def loss(name, fixed, warped, weight=None):
    return SIMILARITIES[name].loss(fixed, warped, weight)


@every_similarity
@every_shape
def test_identical_images_are_best(name, shape):
    image = textured(shape)
    here = float(loss(name, image, image))
    if name in PERFECT:
        assert abs(here) < PERFECT[name]
    assert here >= 0 or abs(here) < 1e-6
    others = [
        shifted(image, 1),
        shifted(image, 3),
        textured(shape, seed=1),
        image.flip(-1),
        (image * 0.5 + 0.1).roll(2, -1),
    ]
    assert all(float(loss(name, image, other)) > here + 0.01 * (name not in DIFFERENCES) for other in others)


@every_similarity
@every_shape
def test_the_loss_rises_with_a_shift_and_has_the_same_shape_on_both_sides(name, shape):
    image = textured(shape)
    right, left = ([float(loss(name, image, shifted(image, sign * k))) for k in range(4)] for sign in (1, -1))
    assert right == sorted(right)
    assert left == sorted(left)


@every_similarity
@every_shape
def test_one_loss_for_each_of_a_batch_and_items_do_not_mix(name, shape):
    fixed, warped = textured(shape, batch=3), textured(shape, seed=1, batch=3)
    weight = torch.rand(3, 1, *shape, generator=torch.Generator().manual_seed(2))
    together = loss(name, fixed, warped, weight)
    alone = torch.cat([loss(name, fixed[[i]], warped[[i]], weight[[i]]) for i in range(3)])
    assert together.shape == (3,)
    assert torch.allclose(together, alone, atol=1e-5)
    assert len({round(float(x), 6) for x in alone}) == 3


@pytest.mark.parametrize("name", [name for name in SIMILARITIES if not name.startswith("mind")])
@every_shape
def test_what_has_no_weight_does_not_matter(name, shape):
    fixed, warped = textured(shape), shifted(textured(shape), 1)
    weight = torch.ones(1, 1, *shape)
    weight[..., :7] = 0
    broken = warped.clone()
    broken[..., :7] = 1 - 0.9 * textured(shape, seed=5)[..., :7]
    assert float((loss(name, fixed, broken, weight) - loss(name, fixed, warped, weight)).abs()) < 1e-5
    assert float((loss(name, fixed, broken) - loss(name, fixed, warped)).abs()) > 1e-3, "the damage is visible without"
    if name == "regional":  # which lays its windows out anew
        return
    cropped = loss(name, fixed[..., 7:], warped[..., 7:])
    assert torch.allclose(loss(name, fixed, broken, weight), cropped, atol=1e-4), "no weight is as good as not there"


@pytest.mark.parametrize("name", ["mind", "mind-plain"])
@every_shape
def test_a_descriptor_sees_no_farther_than_its_patches(name, shape):
    """Beyond that, what has no weight does not matter either; but for the usual noise, which is that of the image."""
    fixed, warped = textured(shape), shifted(textured(shape), 1)
    weight, broken = torch.ones(1, 1, *shape), warped.clone()
    weight[..., :7] = 0
    broken[..., :4] = 1 - 0.9 * textured(shape, seed=5)[..., :4]  # radius 1 and dilation 2 away
    assert float((loss(name, fixed, broken, weight) - loss(name, fixed, warped, weight)).abs()) < 1e-5
    broken[..., :5] = 1 - 0.9 * textured(shape, seed=5)[..., :5]
    assert float((loss(name, fixed, broken, weight) - loss(name, fixed, warped, weight)).abs()) > 1e-5


@every_similarity
@every_shape
def test_only_the_proportions_of_the_weights_matter(name, shape):
    fixed, warped = textured(shape), textured(shape, seed=3)
    weight = 0.1 + 0.9 * torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(4))
    assert torch.allclose(loss(name, fixed, warped, weight), loss(name, fixed, warped, weight * 0.25), atol=2e-4)
    even = loss(name, fixed, warped, torch.full_like(weight, 0.5))
    assert torch.allclose(loss(name, fixed, warped), even, atol=1e-4)


@every_similarity
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_the_loss(name, weighted):
    fixed = textured((7, 9), dtype=torch.float64)
    warped = 0.05 + 0.9 * textured((7, 9), seed=1, dtype=torch.float64)
    uneven = torch.rand(1, 1, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    warped = (warped + 0.02 * uneven).requires_grad_()  # where it rises evenly, two patches may be alike: a kink
    weight = (
        torch.rand(1, 1, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) if weighted else None
    )
    assert torch.autograd.gradcheck(lambda w: loss(name, fixed, w, weight), warped, eps=1e-6, atol=1e-6)


@every_similarity
@every_shape
def test_every_channel_counts_alike(name, shape):
    fixed, warped = textured(shape, channels=2), textured(shape, seed=1, channels=2)
    alone = [float(loss(name, fixed[:, [c]], warped[:, [c]])) for c in range(2)]
    assert float(loss(name, fixed, warped)) == pytest.approx(sum(alone) / 2, abs=1e-5)


@every_similarity
@pytest.mark.parametrize("case", ["constant warped image", "constant images", "no weight at all"])
def test_nothing_to_compare_gives_numbers_all_the_same(name, case):
    shape = (9, 11)
    flat, weight = torch.full((1, 1, *shape), 0.5), None
    fixed = flat if case == "constant images" else textured(shape)
    warped = textured(shape, seed=1) if case == "no weight at all" else flat - 0.2
    warped.requires_grad_()
    if case == "no weight at all":
        weight = torch.zeros(1, 1, *shape)
    value = loss(name, fixed, warped, weight)
    (gradient,) = torch.autograd.grad(value.sum(), warped)
    assert bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(gradient).all())
    if weight is not None:
        assert float(gradient.abs().max()) == 0.0


@pytest.mark.parametrize("name", ["ncc", "lncc", "correlation-ratio", *CONTRAST_FREE[:-1]])
def test_gain_and_offset_do_not_matter(name):
    fixed, warped = textured((31, 44)), shifted(textured((31, 44)), 1)
    brighter = 0.6 * warped + 0.3
    assert float(loss(name, fixed, brighter)) == pytest.approx(float(loss(name, fixed, warped)), rel=0.05)
    assert float(MSE().loss(fixed, brighter)) > 2 * float(MSE().loss(fixed, warped)), "to a difference they do"


@pytest.mark.parametrize("shape", [(31, 64), (9, 14, 64)], ids=SHAPES)
def test_slow_shading_does_not_matter_to_a_local_correlation(shape):
    fixed = textured(shape)
    ramp = torch.linspace(0.0, 1.0, shape[-1])
    shaded = (0.7 + 0.3 * ramp) * fixed + 0.8 * ramp
    assert float(loss("lncc", fixed, shaded)) < 0.1
    assert float(loss("ncc", fixed, shaded)) > 0.3, "over the whole image it does"


@pytest.mark.parametrize("name", ["correlation-ratio", *CONTRAST_FREE])
@pytest.mark.parametrize(
    "remap",
    [lambda v: v**2, lambda v: 1 - v, lambda v: (2 * v - 1).abs(), lambda v: 0.5 + 0.4 * torch.sin(5 * v)],
    ids=["monotone", "inverted", "folded", "wave"],
)
def test_mutual_information_sees_through_any_change_of_contrast(name, remap):
    fixed = textured((61, 64))
    aligned, off = (float(loss(name, fixed, remap(shifted(fixed, by)))) for by in (0, 4))
    nothing = float(loss(name, fixed, remap(textured((61, 64), seed=9))))
    assert aligned < off - 0.1
    assert aligned < nothing - 0.1


@pytest.mark.parametrize("name", ["mind", "mind-plain"])
@pytest.mark.parametrize(
    "remap", [lambda v: v**2, lambda v: 1 - v, lambda v: 1 - v**0.5], ids=["bent", "inverted", "both"]
)
@every_shape
def test_descriptors_see_through_a_change_of_contrast(name, remap, shape):
    fixed = textured(shape)
    aligned, off = (float(loss(name, fixed, remap(shifted(fixed, by)))) for by in (0, 3))
    nothing = float(loss(name, fixed, remap(textured(shape, seed=9))))
    assert aligned < 0.25 * off
    assert aligned < 0.25 * nothing
    assert float(MSE().loss(fixed, remap(fixed))) > 1e-3, "to a difference it does matter"


@every_similarity
@every_shape
def test_nothing_at_all_is_not_like_something(name, shape):
    """A registration must not win by pulling every voxel from where the moving image is flat."""
    image, flat = textured(shape), torch.full((1, 1, *shape), 0.5)
    other = float(loss(name, image, textured(shape, seed=1)))
    assert float(loss(name, image, flat)) > float(loss(name, image, image)) + 0.3 * other
    if SIMILARITIES[name].unrelated == 1:
        assert float(loss(name, image, flat)) == pytest.approx(1.0, abs=0.1)  # faint boxes agree


@every_shape
def test_correlations_tell_opposed_from_unrelated(shape):
    image = textured(shape)
    for name, least in (("ncc", 1.999), ("lncc", 1.7)):  # faint boxes count as alike, by the floor of LNCC's variance
        opposed = float(loss(name, image, 1 - image))
        assert least < opposed <= 2.0 + 1e-5
        unrelated = float(loss(name, image, textured(shape, seed=8)))
        assert abs(unrelated - SIMILARITIES[name].unrelated) < 0.35
        assert opposed > SIMILARITIES[name].unrelated > unrelated - 0.35


def test_only_signed_measures_know_what_unrelated_is():
    assert {name for name, s in SIMILARITIES.items() if math.isfinite(s.unrelated)} == {"ncc", "lncc", "lncc-robust"}


@pytest.mark.parametrize("name", ["lncc", "mutual-information"])
def test_images_of_different_shape_are_refused(name):
    with pytest.raises(InputError):
        loss(name, textured((9, 11)), textured((9, 12)))


def test_descriptors_reach_as_far_in_mm_along_every_axis():
    thick = MIND(radius_voxels=2, dilation_voxels=3).on(Space.of_array((8, 40, 40), (6.0, 1.5, 1.0)))
    assert (thick.radii, thick.dilations) == ((0, 1, 2), (1, 2, 3))
    single = MIND().on(Space.of_array((1, 40, 40), (6.0, 1.0, 1.0)))
    assert (single.radii, single.dilations) == ((0, 1, 1), (0, 2, 2)), "a slice is not looked across"

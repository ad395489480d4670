"""Costs of a group: known values, gradients, and what each of them is blind to."""

import pytest
import torch

from pullback.errors import RecipeError
from pullback.registration.group import COSTS, PCA2, Nuclear, Pairwise, Variance, group_cost


@pytest.fixture
def pattern():
    generator = torch.Generator().manual_seed(3)
    return torch.rand(1, 1, 16, 24, generator=generator)


def scaled(pattern):
    """One pattern at several brightnesses, one of them negative."""
    return torch.cat([a * pattern + b for a, b in ((1.0, 0.0), (0.4, 0.3), (-0.7, 0.9), (2.0, -0.5))])


@pytest.mark.parametrize("name", COSTS)
def test_images_that_agree_cost_nothing(name, pattern):
    same = pattern.repeat(4, 1, 1, 1)
    assert float(COSTS[name].loss(same)) == pytest.approx(0, abs=2e-3)
    weight = (torch.rand(1, 1, 16, 24) > 0.3).float()
    assert float(COSTS[name].loss(same, weight)) == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("name", ["pca2", "nuclear", "local-nuclear"])
def test_contrast_alone_costs_nothing(name, pattern):
    assert float(COSTS[name].loss(scaled(pattern))) == pytest.approx(0, abs=3e-3)
    assert float(Variance().loss(scaled(pattern))) > 0.1
    assert float(Pairwise().loss(scaled(pattern))) > 0.5


@pytest.mark.parametrize("name", ["pca2", "nuclear"])
def test_images_that_share_nothing_cost_the_most(name):
    rows = torch.linalg.qr(torch.randn(400, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)).Q
    rows = torch.linalg.qr(torch.cat([torch.ones(400, 1, dtype=torch.float64), rows], dim=1)).Q[:, 1:]  # of mean 0
    images = rows.T.reshape(5, 1, 20, 20)
    assert float(COSTS[name].loss(images)) == pytest.approx(1, abs=2e-3)


def test_pca2_is_the_published_sum_but_for_its_scale(pattern):
    images = torch.cat([pattern, pattern.flip(2), pattern.flip(3)])
    flat = images.double().flatten(1)
    values = torch.linalg.eigvalsh(torch.corrcoef(flat)).flip(0)
    published = sum((i + 1) * float(v) for i, v in enumerate(values))  # G for one pattern, G (G + 1) / 2 for none
    assert float(PCA2().loss(images)) == pytest.approx((published - 3) / 3, abs=1e-5)


def test_pairwise_is_the_mean_correlation(pattern):
    images = torch.cat([pattern, pattern.flip(2), pattern.flip(3)])
    k = torch.corrcoef(images.flatten(1))
    assert float(Pairwise().loss(images)) == pytest.approx(1 - float(k[0, 1] + k[0, 2] + k[1, 2]) / 3, abs=1e-5)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("shape", [(9, 17), (3, 9, 10)])
def test_gradients(name, shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 2, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(1, 1, *shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(COSTS[name].loss(images, weight), images)
    direction = torch.randn(images.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = (float(COSTS[name].loss(images + s * direction, weight)) for s in (1e-5, -1e-5))
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-8)


def test_what_does_not_count_does_not_matter(pattern):
    images = torch.cat([pattern, 0.5 * pattern, pattern])
    weight = torch.ones(1, 1, 16, 24)
    weight[..., :8] = 0
    spoiled = images.clone()
    spoiled[1, :, :, :8] = torch.rand(16, 8)
    for cost in (PCA2(), Nuclear(), Nuclear(patch_voxels=8), Variance(), Pairwise()):
        assert float(cost.loss(spoiled, weight)) == pytest.approx(float(cost.loss(images, weight)), abs=1e-6)


def test_a_cost_that_is_not_there():
    with pytest.raises(RecipeError, match="pairwise, variance, pca2, nuclear, local-nuclear"):
        group_cost("entropy")

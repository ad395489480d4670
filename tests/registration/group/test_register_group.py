"""Groups whose every motion is known: up to a shared map, the transforms must undo them."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import NCC, Energy
from pullback.errors import InputError, RecipeError
from pullback.image import Image
from pullback.optimise import LBFGS, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.phantom import beating_heart, heart, heart_space, mapping_series
from pullback.registration import AlignCentres, Optimise, Recipe
from pullback.registration.group import Variance, group_cost, register_group
from pullback.registration.recipes import named
from pullback.transforms import Affine, resample

SPACE = heart_space(2, (64, 64), (4.2, 4.2))


@pytest.fixture(scope="module")
def mapping():
    return mapping_series((120.0, 350.0, 1000.0, 1900.0, 3500.0), space=SPACE)


def apart(transforms, series) -> float:
    """Mean distance, over images, of where they see a point of the heart from where they see it in the mean, mm."""
    points = SPACE.grid()[series.labels.data > 0]
    seen = torch.stack([t.inverse()(g(points)) for g, t in zip(transforms, series.transforms, strict=True)])
    return float((seen - seen.mean(dim=0)).norm(dim=-1).mean())


def still(count):
    return [Affine.identity(2)] * count


@pytest.fixture(scope="module")
def together(mapping):
    return register_group(mapping.images, named("group"), group_cost("nuclear"))


def test_changing_contrast_is_no_hindrance(mapping, together):
    assert together.ok
    assert apart(together.transforms, mapping) < 0.2 * apart(still(5), mapping)
    before, after = together.cost_before_and_after()
    assert after < before


def test_pca2_finds_most_of_it_and_variance_takes_contrast_for_motion(mapping, together):
    recipe = replace(named("group"), stages=named("group").stages[:1])  # translation alone
    found = {name: register_group(mapping.images, recipe, group_cost(name)).transforms for name in ("pca2", "variance")}
    errors = {name: apart(transforms, mapping) for name, transforms in found.items()}
    assert errors["pca2"] < 0.35 * apart(still(5), mapping)
    assert errors["variance"] > 1.5 * errors["pca2"]


def test_the_mean_of_the_transforms_is_nothing(together):
    result = together
    mean = torch.stack([t.displace(SPACE) for t in result.transforms]).mean(dim=0)
    largest = max(float(t.displace(SPACE).norm(dim=0).max()) for t in result.transforms)
    assert float(mean.norm(dim=0).max()) < 0.1
    assert largest > 3


def test_turned_images_meet_in_the_middle():
    image = heart(space=SPACE).image
    turns = [Affine.rigid(a, (s, -s), SPACE.centre) for a, s in ((-6.0, 3.0), (0.0, 0.0), (6.0, -3.0))]
    images = [resample(image, t, SPACE, outside=None) for t in turns]
    stage = Optimise(Linear("rigid"), Energy(NCC()), LBFGS(), Schedule((Level(2, 40), Level(1, 20)), tolerance=1e-6))
    result = register_group(images, Recipe("rigid", "", (stage,)), group_cost("pairwise"))
    points = SPACE.grid()[8:-8:4, 8:-8:4].reshape(-1, 2)
    seen = torch.stack([t(g(points)) for g, t in zip(result.transforms, turns, strict=True)])
    assert float((seen - seen.mean(dim=0)).norm(dim=-1).mean()) < 0.35  # a twelfth of a voxel
    assert float((seen.mean(dim=0) - points).norm(dim=-1).mean()) < 0.4  # the middle one, which did not move


def test_a_dense_group_of_a_cine():
    cine = beating_heart((0.0, 0.15, 0.36, 0.6), space=SPACE)
    stage = Optimise(Greedy(3.0, 0.4), Energy(NCC()), GradientDescent(0.5), Schedule((Level(2, 40), Level(1, 15))))
    result = register_group(cine.frames, Recipe("dense", "", (AlignCentres(), stage)), Variance())
    points = SPACE.grid()[cine.labels[0].data > 0]
    truth = torch.stack([t(points) for t in cine.transforms])
    back = result.transforms[0].inverse()(points)
    found = torch.stack([t(back) for t in result.transforms])
    assert float((truth - points).norm(dim=-1).mean(dim=1).max()) > 4
    assert float((found - truth).norm(dim=-1).mean()) < 0.8
    assert result.ok
    mean = torch.stack([t.displace(SPACE) for t in result.transforms]).mean(dim=0)
    assert float(mean.norm(dim=0).mean()) < 0.05


def test_images_on_other_grids_and_a_mask(mapping):
    first, *others = mapping.images
    moved = [resample(i, Affine.identity(2), heart_space(2, (50, 56), (5.0, 5.0)), outside=None) for i in others]
    mask = Image(torch.ones(1, 64, 64), SPACE)
    seen = []
    result = register_group([first, *moved], named("group"), group_cost("nuclear"), mask=mask, watch=seen.append)
    assert result.space is first.space
    assert apart(result.transforms, mapping) < 0.4 * apart(still(5), mapping)
    assert [s.share for s in seen] == sorted(s.share for s in seen)
    assert seen[-1].share <= 1


def test_what_cannot_be_a_group(mapping):
    recipe = named("group")
    with pytest.raises(InputError, match="at least two images; got 1"):
        register_group(mapping.images[:1], recipe, Variance())
    with pytest.raises(RecipeError, match="no stage that optimises"):
        register_group(mapping.images, replace(recipe, stages=(AlignCentres(),)), Variance())
    with pytest.raises(InputError, match="mask lies on"):
        register_group(mapping.images, recipe, Variance(), mask=Image.of(torch.ones(9, 9)))
    with pytest.raises(InputError, match="common grid is 3D"):
        register_group(mapping.images, recipe, Variance(), space=heart_space(3, (4, 8, 8)))
    far = [Image(i.data, SPACE.crop((k * 99, 0), (k * 99 + 64, 64))) for k, i in enumerate(mapping.images)]
    with pytest.raises(InputError, match="do not overlap"):
        register_group(far, recipe, Variance())

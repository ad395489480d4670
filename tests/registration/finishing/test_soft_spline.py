"""SoftSpline: halves the error and more where two contrasts share enough, and leaves the others as they are."""

import pytest
import torch

import pullback as pb
from pullback.image import Image
from pullback.registration import AlignCentres, Recipe, SoftSpline
from pullback.registration.recipes.linear import linear_stage
from pullback.transforms import Affine

SOFT = Recipe("soft", "a soft spline alone", (SoftSpline(),))


@pytest.fixture(scope="module")
def pair():
    return pb.phantom.make("pair", shape=(128, 128), spacing=(2.1, 2.1), moving_contrast="t2", seed=8, max_mm=6.0)


@pytest.fixture(scope="module")
def start(pair):
    linear = Recipe("a", "affine", (AlignCentres(), linear_stage("rigid", finest=2), linear_stage("affine", finest=2)))
    return pb.register(pair.fixed, pair.moving, linear)


def error(pair, transform):
    space = pair.fixed.space
    away = (transform.displace(space) - pair.truth.displace(space)).norm(dim=0)
    return float(away[torch.from_numpy(pair.fixed_labels.numpy() > 0)].mean())


def test_what_contrasts_share_leads_to_the_answer(pair, start):
    result = pb.register(pair.fixed, pair.moving, SOFT, initial=start.transform)
    assert result.ok
    assert result.quality.fold_percent == 0
    assert error(pair, result.transform) < 0.5 * error(pair, start.transform)
    assert result.outcomes[0].stage == "soft spline"
    assert "the images share 0." in result.outcomes[0].notes[0]


def test_images_that_share_too_little_are_left_as_they_were(pair, start):
    noise = Image(torch.rand(pair.moving.data.shape, generator=torch.Generator().manual_seed(0)), pair.moving.space)
    result = pb.register(pair.fixed, noise, SOFT, initial=start.transform)
    assert "left as it was" in result.outcomes[0].notes[0]
    assert result.transform is start.transform
    demanding = Recipe("b", "never", (SoftSpline(least_shared=0.99),))
    assert pb.register(pair.fixed, pair.moving, demanding, initial=start.transform).transform is start.transform


def test_masks_say_where_to_look(pair, start):
    spoilt, kept = pair.moving.data.clone(), torch.ones(1, 128, 128)
    spoilt[:, :70] = torch.rand((1, 70, 128), generator=torch.Generator().manual_seed(0)) * float(spoilt.max())
    kept[:, :70] = 0
    moving, mask = Image(spoilt, pair.moving.space), Image(kept, pair.moving.space)
    blind = pb.register(pair.fixed, moving, SOFT, initial=start.transform)
    assert "left as it was" in blind.outcomes[0].notes[0]
    seeing = pb.register(pair.fixed, moving, SOFT, initial=start.transform, moving_mask=mask)
    assert "left as it was" not in seeing.outcomes[0].notes[0]


def test_images_apart(pair):
    result = pb.register(pair.fixed, pair.moving, SOFT, initial=Affine.translation([1e4, 0.0]))
    assert result.status.name == "no_overlap"


def test_the_recipe_for_two_contrasts_of_hearts_ends_with_it():
    assert isinstance(pb.recipes.named("cardiac-multimodal").stages[-1], SoftSpline)

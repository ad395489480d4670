"""suggest: contrasts and thick slices are told apart, and naming what was chosen changes nothing."""

from dataclasses import replace

import pytest
import torch

import pullback as pb
from pullback.image import Image
from pullback.phantom import heart_pair
from pullback.registration.prepare import Prepare
from pullback.registration.register import register
from pullback.registration.suggest import suggest
from pullback.space import Space


def thick(image: Image, slices: int = 6, apart: float = 8.0) -> Image:
    """A stack of thick slices, each a little dimmer than the one before."""
    data = torch.stack([image.data * (1 - 0.05 * k) for k in range(slices)], dim=1)
    spacing = (apart, *image.space.spacing)
    return Image(data, Space.of_array(data.shape[1:], spacing))


@pytest.fixture(scope="module")
def one_contrast():
    return heart_pair(seed=1)


@pytest.fixture(scope="module")
def two_contrasts():
    return heart_pair(moving_contrast="t2", seed=1)


def test_one_contrast_is_deformable(one_contrast):
    found = suggest(one_contrast.fixed, one_contrast.moving)
    assert (found.recipe, found.correlation > 0.5) == ("deformable", True)
    assert "one contrast" in str(found)


def test_two_contrasts_of_a_picture(two_contrasts):
    found = suggest(two_contrasts.fixed, two_contrasts.moving)
    assert (found.recipe, found.correlation < 0.4) == ("cardiac-multimodal", True)
    assert "two contrasts" in found.reason


def test_a_negative_is_another_contrast(one_contrast):
    negative = Image(one_contrast.moving.data.max() - one_contrast.moving.data, one_contrast.moving.space)
    assert suggest(one_contrast.fixed, negative).correlation < 0


def test_thick_slices(one_contrast):
    found = suggest(thick(one_contrast.fixed), thick(one_contrast.moving))
    assert found.recipe == "cardiac-sax"
    assert "thick slices" in found.reason
    assert suggest(thick(one_contrast.fixed, apart=1.5), thick(one_contrast.moving, apart=1.5)).recipe == "deformable"


def test_auto_is_what_was_suggested(two_contrasts):
    auto = pb.register(two_contrasts.fixed, two_contrasts.moving)
    named = pb.register(two_contrasts.fixed, two_contrasts.moving, "cardiac-multimodal")
    assert auto.recipe == named.recipe
    assert auto.provenance["chosen"].startswith("cardiac-multimodal (two contrasts, correlation ")
    assert "chosen" not in named.provenance
    assert torch.equal(auto.warped.data, named.warped.data)


def test_what_the_look_found_is_not_looked_for_again(one_contrast):
    watched = []
    auto = pb.register(one_contrast.fixed, one_contrast.moving, watch=watched.append)
    named = pb.register(one_contrast.fixed, one_contrast.moving, "deformable")
    assert "rigid" not in {step.stage for step in watched}
    assert "affine" in {step.stage for step in watched}
    assert [outcome.stage for outcome in auto.outcomes] == [outcome.stage for outcome in named.outcomes]
    assert torch.equal(auto.warped.data, named.warped.data)


def test_other_beginnings_are_found_anew(one_contrast):
    found = suggest(one_contrast.fixed, one_contrast.moving)
    for recipe in (pb.recipes.named("rigid"), replace(pb.recipes.named("deformable"), prepare=Prepare(flatten_mm=40))):
        steps = []
        register(one_contrast.fixed, one_contrast.moving, recipe, begun=found.look, watch=steps.append)
        assert "rigid" in {step.stage for step in steps}


def test_the_front_door_reads_files(tmp_path, one_contrast):
    pb.write_image(one_contrast.fixed, tmp_path / "f.nii.gz")
    pb.write_image(one_contrast.moving, tmp_path / "m.nii.gz")
    assert pb.suggest(tmp_path / "f.nii.gz", tmp_path / "m.nii.gz").recipe == "deformable"


def test_volumes_that_share_little_and_headers_that_say_nothing():
    shape = (64, 60, 62)  # a histogram of few voxels finds something shared in any noise
    fixed, moving = (Image(smooth_noise(shape, seed), Space.of_array(shape, 1.0)) for seed in (0, 1))
    made_up = torch.eye(4, dtype=torch.float64)
    made_up[:3, 3] = 1  # counted from one
    placed = made_up.clone()
    placed[:3, 3] = torch.tensor([12.5, -40.0, 3.0])
    found = suggest(Image(fixed.data, Space(shape, made_up)), Image(moving.data, Space(shape, made_up)))
    assert found.recipe == "prostate-mr-us"
    assert "share little" in found.reason
    known = suggest(Image(fixed.data, Space(shape, placed)), Image(moving.data, Space(shape, placed)))
    assert known.recipe == "multimodal"  # the headers are worth more than the middles


def smooth_noise(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """One channel of blobs."""
    noise = torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool3d(noise, 5, stride=1, padding=2, count_include_pad=False)[0]

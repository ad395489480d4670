"""Settle and SplineFinish: more precise where both images show one contrast, and nothing changed where they do not."""

from dataclasses import replace

import pytest
import torch

from pullback.energy import LNCC, Energy, Pair, SoftDice, Term
from pullback.image import Image
from pullback.optimise import BSpline, GradientDescent, Greedy, Level, Schedule, Status
from pullback.phantom import known_warp
from pullback.registration import Optimise, Prepare, Settle, SplineFinish, recipes
from pullback.registration.finishing.one_contrast import OneContrast
from pullback.transforms import Affine, Displacement

TURNED = torch.tensor([[0.998, -0.0632, 0.4], [0.0632, 0.998, -0.7], [0, 0, 1.0]], dtype=torch.float64)


def spoiled(image: Image, noise: float = 0.02, shade: float = 0.1) -> Image:
    """With noise, and brighter towards one corner."""
    generator = torch.Generator().manual_seed(3)
    gain = 1 + shade * torch.linspace(-1, 1, image.space.shape[-1])
    data = image.data * gain + noise * float(image.data.max()) * torch.randn(image.data.shape, generator=generator)
    return Image(data, image.space)


def test_smooth_shading_explains_all(paint, grid):
    space, still = grid(2), Affine.identity(2)
    image = paint(space).data[None]
    ramp = torch.linspace(-1, 1, image.shape[-1])
    like = image * (1.3 + 0.2 * ramp) - 0.4 + 0.1 * ramp
    assert float(OneContrast.of(Pair(image, like, space, space), still).share(still)) < 1e-6
    wrong = torch.where(ramp > 0.5, 9.0, like)  # what does not count has no say
    weight = (ramp <= 0.5).float().expand(image.shape).contiguous()
    assert float(OneContrast.of(Pair(image, wrong, space, space, weight), still).share(still)) < 1e-6
    assert float(OneContrast.of(Pair(image, wrong, space, space), still).share(still)) > 0.1


def test_a_single_slice_and_channels_are_explained_one_by_one(paint, grid):
    space, still = grid(3, spacing=(72.0, 2.0, 2.0)), Affine.identity(3)
    image = paint(space).data[None]
    both = Pair(torch.cat([image, image.square()], 1), torch.cat([2 * image, image.square() + 1], 1), space, space)
    assert float(OneContrast.of(both, still).share(still)) < 1e-6


def test_settling_finds_a_hundredth_of_a_voxel_in_spite_of_noise_and_shading(paint, grid, corner_error):
    space, truth = grid(2), Affine(TURNED)
    pair = Prepare().pair(paint(space, truth), spoiled(paint(space), noise=0.01), None, None, "cpu")
    near = truth @ Affine.translation([0.3, -0.2])
    outcome = Settle().run(*pair, near)
    assert outcome.status.ok
    assert corner_error(outcome.transform, truth, space) < 0.05 < corner_error(near, truth, space)
    assert outcome.notes == ("correlation 1.00",)


def test_between_slices_it_is_not_drawn_towards_one_of_them(paint, grid):
    space = grid(3, spacing=(8.0, 2.0, 2.0))
    sharp = paint(space)
    middle = sharp.data.clone()
    middle[:, :-1] = (sharp.data[:, :-1] + sharp.data[:, 1:]) / 2  # cut half a slice further on
    truth = Affine.translation(space.linear @ torch.tensor([-0.5, 0.0, 0.0], dtype=torch.float64))
    pair = Prepare().pair(sharp, Image(middle, space), None, None, "cpu")
    start = truth @ Affine.translation([1.0, 0.0, 0.0])
    found = Settle("translation").run(*pair, start).transform
    assert float((found(space.centre) - truth(space.centre)).norm()) < 0.15


@pytest.mark.parametrize("stage", [Settle(), SplineFinish()], ids=["settle", "spline"])
def test_other_contrasts_stay_as_they_are(paint, grid, stage):
    space = grid(2)
    image = paint(space)
    other = Image((image.data - image.data.mean()).abs(), space)
    start = Affine(TURNED) @ Displacement(torch.full((2, *space.shape), 0.5), space)
    start = start if isinstance(stage, SplineFinish) else Affine(TURNED)
    outcome = stage.run(*Prepare().pair(image, other, None, None, "cpu"), start)
    assert outcome.transform is start
    assert outcome.status is Status.converged
    assert "left as it was" in outcome.notes[0]


@pytest.mark.parametrize("stage", [Settle(), SplineFinish()], ids=["settle", "spline"])
def test_images_apart_and_starts_of_the_wrong_kind(paint, grid, stage):
    space = grid(2)
    pair = Prepare().pair(paint(space), paint(space), None, None, "cpu")
    assert stage.run(*pair, Affine.translation([900.0, 0.0])).status is Status.no_overlap
    wrong = Displacement(torch.zeros(2, *space.shape), space) if isinstance(stage, Settle) else Affine.identity(2)
    assert "left as it was" in stage.run(*pair, wrong).notes[0]
    few = replace(stage, most_voxels=100)
    assert few.run(*pair, wrong).notes == ("many voxels: left as it was",)


def test_a_spline_has_less_noise_than_local_correlation(paint, grid):
    space = grid(2, spacing=0.8)
    truth = known_warp(space, max_mm=3.0, smoothness_mm=20.0, seed=2)
    pair = Prepare().pair(paint(space, truth), spoiled(paint(space)), None, None, "cpu")
    dense = Optimise(
        Greedy(2.75, 0.5), Energy(LNCC()), GradientDescent(0.5), Schedule((Level(2, 40), Level(1.4, 15), Level(1, 5)))
    )
    rough = dense.run(*pair, Affine.identity(2)).transform
    outcome = SplineFinish().run(*pair, rough)
    inner = (slice(None), *(slice(20, -20),) * 2)
    before, after = (
        float((t.displace(space) - truth.displace(space))[inner].norm(dim=0).mean()) for t in (rough, outcome.transform)
    )
    assert after < 0.85 * before
    assert "of the spline" in outcome.notes[0]


def test_what_a_spline_cannot_follow_stays(paint, grid):
    space = grid(2)
    rough = torch.where(torch.arange(space.shape[0]) % 6 < 3, 1.5, -1.5)[None, :, None].expand(2, *space.shape)
    field = Displacement(rough.contiguous(), space)
    pair = Prepare().pair(paint(space, field), paint(space), None, None, "cpu")
    outcome = SplineFinish().run(*pair, field)
    assert outcome.transform is field
    assert "left as it was" in outcome.notes[0]


def test_a_fitted_spline_says_what_it_was_given(grid):
    space, model = grid(2), BSpline(spacing_voxels=6.0)
    away = (0.02 * (space.grid() - space.centre)).movedim(-1, 0).to(torch.float32)
    given = model.build(model.fitted(Displacement(away, space), Affine.identity(2)))
    assert torch.allclose(given.displace(space).to(torch.float32), away, atol=1e-4)


def test_further_terms_put_finishing_stages_aside():
    rigid = recipes.rigid()
    assert rigid.stages[-1].finishes
    assert not any(stage.finishes for stage in rigid.adding(Term(SoftDice(), images="labels")).stages)

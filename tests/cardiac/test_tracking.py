"""Frames of a beating phantom, whose every point is known, followed from one of them."""

from dataclasses import replace

import pytest
import torch

from pullback.cardiac import track
from pullback.cardiac.following import Walks
from pullback.errors import InputError, RecipeError, SpaceError
from pullback.image import Image, Labels
from pullback.optimise import Level, Schedule, Status
from pullback.phantom import beating_heart, heart_space
from pullback.registration import Recipe
from pullback.registration.recipes import named
from pullback.space import Space

SHAPE, SPACING = (80, 80), (3.0, 3.0)


@pytest.fixture(scope="module")
def cine():
    return beating_heart(6, space=heart_space(2, SHAPE, SPACING))


@pytest.fixture(scope="module")
def tracked(cine):
    return track(cine.frames, named("cine"), labels=cine.labels[0])


def quick() -> Recipe:
    recipe = named("cine")
    return replace(recipe, stages=(replace(recipe.stages[0], schedule=Schedule((Level(2, 3), Level(1, 2)))),))


def errors(tracking, cine) -> list[float]:
    """Mean distance from the truth in the heart, mm, for each frame."""
    heart, space = cine.labels[0].data > 0, cine.frames[0].space
    found = [transform.displace(space) for transform in tracking.transforms]
    return [float((u - cine.displacement(t).field).norm(dim=0)[heart].mean()) for t, u in enumerate(found)]


def test_every_point_is_found_in_every_frame(cine, tracked):
    heart = cine.labels[0].data > 0
    before = [float(cine.displacement(t).field.norm(dim=0)[heart].mean()) for t in range(6)]
    after = errors(tracked, cine)
    assert max(before) > 4
    assert max(after) < 0.9  # under a third of a voxel
    assert tracked.ok
    assert max(tracked.motion.fold_percent) == 0


def test_the_figures_are_those_of_the_motion(cine, tracked):
    motion = tracked.motion
    heart = cine.labels[0].data > 0
    assert motion.farthest_frame == cine.end_systole
    assert motion.mean_mm[0] == 0
    u = tracked.transforms[2].displace(cine.frames[0].space).norm(dim=0)[heart]
    assert motion.mean_mm[2] == pytest.approx(float(u.mean()), rel=1e-4)
    assert motion.tail_mm[2] == pytest.approx(float(u.quantile(0.95)), rel=0.02)
    assert 0 < motion.drift_mm < 1
    assert len(motion.apart_mm) == 6
    assert motion.apart_mm[0] == 0


def test_labels_go_forward_and_frames_come_back(cine, tracked):
    t = cine.end_systole
    carried = list(tracked.labels(cine.labels[0]))[t]
    wall, truth = carried.data == 2, cine.labels[t].data == 2
    dice = 2 * float((wall & truth).sum()) / float(wall.sum() + truth.sum())
    unmoved = cine.labels[0].data == 2
    assert dice > 0.85 > 2 * float((unmoved & truth).sum()) / float(unmoved.sum() + truth.sum())
    fixed, moving, warped = (i.data for i in (cine.frames[0], cine.frames[t], tracked.warped(t)))
    assert float((warped - fixed).abs().mean()) < 0.6 * float((moving - fixed).abs().mean())


def test_a_cine_that_starts_elsewhere_is_followed_from_the_frame_asked_for(cine):
    turned = cine.frames[4:] + cine.frames[:4]  # frame 0 of the phantom is the third now
    result = track(turned, named("cine"), fixed_frame=2)
    back = result.transforms[2:] + result.transforms[:2]
    assert max(errors(replace(result, transforms=back), cine)) < 0.9


def test_without_a_cycle_both_sides_of_the_fixed_frame_are_followed(cine):
    half = cine.frames[:4]
    result = track(half, named("cine"), fixed_frame=1, cyclic=False)
    assert result.motion.drift_mm is None
    assert result.motion.apart_mm is None
    space, at = cine.frames[0].space, cine.labels[1].data == 2
    points = space.grid()[at]
    for t in (0, 2, 3):
        truth = cine.transforms[t](cine.transforms[1].inverse()(points))
        assert float((result.transforms[t](points) - truth).norm(dim=-1).mean()) < 0.9


def test_a_stack_and_a_slice_in_space_are_followed_like_a_plane(cine):
    space, plane = torch.zeros(4, 4, dtype=torch.float64), cine.frames[0].space
    space[2, 0], space[3, 3] = 8.0, 1.0
    space[:2, 1:3], space[:2, 3] = plane.linear, plane.matrix[:2, 2]
    slices = [Image(frame.data[:, None], Space((1, *plane.shape), space)) for frame in cine.frames[:3]]
    flat = track(cine.frames[:3], quick())
    thick = track(slices, quick())
    u, v = (r.transforms[2].displace(s) for r, s in ((flat, plane), (thick, slices[0].space)))
    assert float(v[2].abs().max()) == 0  # nothing leaves the plane
    assert torch.allclose(u, v[:2, 0], atol=1e-3)


def test_many_small_parts_give_what_one_large_one_gives(cine, monkeypatch):
    whole = track(cine.frames, quick())
    monkeypatch.setattr("pullback.cardiac.following.AT_ONCE", 2 * 80 * 80)
    parts = track(cine.frames, quick())
    for a, b in zip(whole.transforms[1:], parts.transforms[1:], strict=True):
        assert torch.allclose(a.field, b.field, atol=1e-6)


def test_where_the_mask_is_empty_nothing_pulls(cine):
    space, seen = cine.frames[0].space, []
    mask = Image((cine.labels[0].data > 0)[None].float(), space)
    result = track(cine.frames[:3], quick(), mask=mask, watch=seen.append)
    far = result.transforms[2].displace(space).norm(dim=0)
    assert float(far[:8, :8].max()) < 0.05 < float(far[mask.data[0] > 0].mean())
    assert seen[-1].share == pytest.approx(1.0, abs=0.5)
    assert [s.share for s in seen] == sorted(s.share for s in seen)


def test_the_walks():
    assert Walks.through(3, 0, cyclic=True) == Walks((1, 2), (2, 1), True)
    assert Walks.through(3, 2, cyclic=False) == Walks((), (1, 0), False)


def test_folding_is_told(cine, monkeypatch):
    monkeypatch.setattr("pullback.cardiac.tracking.MOST_FOLDING_PERCENT", -1.0)
    result = track(cine.frames[:2], quick())
    assert result.status is Status.folded
    assert not result.ok


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda f, k: (f[:1], k), InputError, "at least two frames; got 1"),
        (lambda f, k: (f, k | {"fixed_frame": 9}), InputError, "no frame 9: the cine has the frames 0 to 5"),
        (lambda f, k: ([f[0], Image.of(torch.rand(80, 80))], k), SpaceError, "frame 1 lies on"),
        (lambda f, k: (f, k | {"recipe": named("affine")}), RecipeError, "'affine' has none"),
        (lambda f, k: (f, k | {"labels": Labels.of(torch.ones(9, 9))}), SpaceError, "labels lie on"),
    ],
)
def test_what_cannot_be_tracked_is_refused(cine, change, kind, message):
    frames, options = change(cine.frames, {"recipe": quick()})
    with pytest.raises(kind, match=message):
        track(frames, **options)

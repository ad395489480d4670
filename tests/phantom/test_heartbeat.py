from itertools import pairwise

import pytest
import torch

from pullback.phantom import Anatomy, Heartbeat, Scene, contraction_at, heart_space
from pullback.transforms import Displacement


def space_of(dimension):
    return heart_space(dimension, (30, 44, 44)[3 - dimension :], (4.0, 4.0, 4.0)[3 - dimension :])


def beat_of(dimension, seed=0, contraction=1.0):
    space = space_of(dimension)
    scene = Scene.at(space, seed)
    return Heartbeat(scene.anatomy, scene.pose, contraction), scene, space


def determinant(transform, points, step=1e-4):
    """J by central differences of the formula itself."""
    columns = []
    for axis in range(transform.dimension):
        shift = torch.zeros(transform.dimension, dtype=torch.float64)
        shift[axis] = step
        columns.append((transform(points + shift) - transform(points - shift)) / (2 * step))
    return torch.linalg.det(torch.stack(columns, dim=-1))


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("contraction", [0.3, 1.0])
def test_the_inverse_is_exact(dimension, seed, contraction):
    beat, _, space = beat_of(dimension, seed, contraction)
    points = space.grid()
    assert torch.allclose(beat.inverse()(beat(points)), points, atol=1e-9)
    assert torch.allclose(beat(beat.inverse()(points)), points, atol=1e-9)
    assert torch.equal(beat.inverse().inverse()(points), beat(points))


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_muscle_keeps_its_volume_and_nothing_folds(dimension, seed):
    beat, scene, space = beat_of(dimension, seed)
    volume = determinant(beat, space.grid())
    labels = scene.labels(space).data
    assert float(volume.min()) > 0.15
    assert torch.allclose(volume[labels == 2], torch.ones(()).to(volume), atol=1e-5)
    assert float(volume[labels == 3].mean()) < 0.55  # blood leaves
    assert float(volume[labels == 1].mean()) < 0.8


def test_contraction_as_in_a_heart():
    beat, scene, space = beat_of(3)
    before, after = scene.labels(space).data, scene.labels(space, beat.inverse()).data
    ejected = 1 - int((after == 3).sum()) / int((before == 3).sum())
    assert 0.45 < ejected < 0.65
    assert int((after == 2).sum()) == pytest.approx(int((before == 2).sum()), rel=0.04)
    top, bottom = (points_on_axis(scene, level) for level in (38.0, -48.0))
    assert float((beat(top) - top)[0, 2]) == pytest.approx(-12.6, abs=1.0)  # base towards apex
    assert float((beat(bottom) - bottom).norm()) < 1.3  # the apex stays


def points_on_axis(scene, level):
    frame = torch.tensor([[0.0, 0.0, level]], dtype=torch.float64)
    return scene.pose.inverse()(frame)


def test_the_wall_thickens_and_twists():
    beat, scene, _ = beat_of(2)
    anatomy = Anatomy()
    edge = torch.tensor([[anatomy.cavity_mm, 0.0], [anatomy.cavity_mm + anatomy.wall_mm, 0.0]], dtype=torch.float64)
    frame = scene.pose(beat(scene.pose.inverse()(edge)))
    inner, outer = frame.norm(dim=1).tolist()
    assert outer - inner > 1.2 * anatomy.wall_mm
    assert inner < 0.8 * anatomy.cavity_mm
    assert 0 < float(torch.atan2(frame[0, 1], frame[0, 0])) < 0.1


def test_a_heart_at_rest_does_not_move():
    beat, _, space = beat_of(3, contraction=0.0)
    assert torch.equal(beat(space.grid()), space.grid())


def test_nothing_moves_far_away():
    beat, scene, _ = beat_of(3)
    frame = torch.tensor([[90.0, 0.0, 0.0], [-60.0, 70.0, 10.0], [10.0, 0.0, -80.0], [0.0, 5.0, 140.0]])
    far = scene.pose.inverse()(frame.to(torch.float64))
    assert torch.allclose(beat(far), far, atol=1e-9)


@pytest.mark.parametrize("dimension", [2, 3])
def test_displace_agrees_with_move_and_composes(dimension):
    beat, _, space = beat_of(dimension)
    grid = space.grid()
    field = beat.displace(space)
    assert field.dtype == torch.float32
    assert torch.allclose(grid + field.movedim(0, -1), beat(grid), atol=1e-4)
    first = 3 * torch.randn(field.shape, generator=torch.Generator().manual_seed(0))
    expected = beat(grid + first.movedim(0, -1)) - grid
    assert torch.allclose(beat.displace(space, first).movedim(0, -1).double(), expected, atol=1e-4)


def test_it_composes_with_other_transforms():
    beat, _, space = beat_of(2)
    shift = Displacement(torch.ones(2, *space.shape), space)
    points = space.grid()
    assert torch.allclose((beat @ shift)(points), beat(points + 1), atol=1e-6)


def test_the_cycle_starts_and_ends_at_rest():
    assert contraction_at(0.0) == 0.0
    assert contraction_at(1.0) == 0.0
    assert contraction_at(0.36) == pytest.approx(1.0)
    phases = [k / 100 for k in range(101)]
    values = [contraction_at(p) for p in phases]
    assert all(a < b for a, b in pairwise(values[:37]))
    assert all(a > b for a, b in pairwise(values[36:100]))

"""Unfold: no voxel turned over, and nothing changed where none was."""

from dataclasses import replace

import pytest
import torch

from pullback.evaluate import deformation
from pullback.evaluate.nondiffeomorphic import smallest_volume
from pullback.image import Image
from pullback.optimise import BSpline, Level, Schedule, Status
from pullback.phantom import known_warp
from pullback.registration import Prepare, Unfold, register
from pullback.registration.recipes import named
from pullback.space import Space
from pullback.transforms import Affine, Displacement


def push(space: Space, strength: float, width_mm: float = 4.0) -> Displacement:
    """Everything towards the middle: by more than its distance there, if the strength is more than 1."""
    away = space.grid() - space.centre
    field = -strength * away * torch.exp(-away.square().sum(-1, keepdim=True) / (2 * width_mm**2))
    return Displacement(field.movedim(-1, 0).float(), space)


def run(transform, space, paint):
    image = paint(space)
    return Unfold().run(*Prepare().pair(image, image, None, None, "cpu"), transform)


@pytest.mark.parametrize("dimension", [2, 3])
def test_a_fold_is_taken_out_and_what_is_far_away_stays(paint, dimension):
    space = Space.of_array((40,) * dimension, 1.5)
    folded = push(space, 2.0)
    matrix = Affine.translation([3.0] * dimension)
    assert deformation(folded, space).fold_percent > 0
    outcome = run(matrix @ folded, space, paint)
    mended = outcome.transform
    summary = deformation(mended, space)
    assert summary.jacobian_min > 0
    assert summary.ndv_percent == 0
    field = mended.parts[-1].field
    assert float(smallest_volume(field, space).min()) >= 0.02
    assert torch.equal(mended.parts[0].matrix, matrix.matrix)
    corner = (slice(None), *[slice(0, 8)] * dimension)
    assert torch.equal(field[corner], folded.field[corner])
    assert outcome.notes[0].endswith(" 0 are left")


def test_a_fold_that_central_differences_miss_is_taken_out(paint):
    space = Space.of_array((20, 20))
    field = torch.zeros(2, 20, 20)
    field[1, 8:12:2, 8:12] = 1.4
    folded = Displacement(field, space)
    assert deformation(folded, space).ndv_percent > 0
    assert deformation(run(folded, space, paint).transform, space).ndv_percent == 0


def test_what_does_not_fold_is_not_touched(paint):
    space = Space.of_array((24, 26, 28), 2.0)
    smooth, matrix = known_warp(space, 3), Affine.translation([1.0, 2.0, 3.0])
    for transform in (smooth, matrix @ smooth, matrix):
        outcome = run(transform, space, paint)
        assert outcome.transform is transform
        assert outcome.status.ok


def test_what_cannot_be_mended_in_time_is_told(paint):
    space = Space.of_array((40, 40))
    image = paint(space)
    pair = Prepare().pair(image, image, None, None, "cpu")
    outcome = Unfold(most_rounds=1, most_percent=100).run(*pair, push(space, 3.0, 8.0))
    assert not outcome.notes[0].endswith(" 0 are left")


def test_the_smallest_volume_is_that_of_the_worst_place_between_four_vectors():
    space = Space.of_array((9, 8))
    dense = Displacement(torch.randn(2, 9, 8, generator=torch.Generator().manual_seed(4)) * 0.2, space)
    inner = smallest_volume(dense.field, space)[1:-1, 1:-1]
    rows = torch.linspace(1, 7, 241, dtype=torch.float64)  # forty places from voxel to voxel
    columns = torch.linspace(1, 6, 201, dtype=torch.float64)
    voxels = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)
    moved = space.to_voxels(dense(space.to_world(voxels)))
    down, right = moved[1:, :-1] - moved[:-1, :-1], moved[:-1, 1:] - moved[:-1, :-1]
    volumes = (down[..., 0] * right[..., 1] - down[..., 1] * right[..., 0]) * 40 * 40
    assert float(inner.min()) <= float(volumes.min()) + 1e-6
    assert float(inner.min()) == pytest.approx(float(volumes.min()), abs=0.03)


def test_a_spline_that_folds_becomes_a_displacement_that_does_not(paint):
    space = Space.of_array((48, 48), 1.5)
    model = BSpline(spacing_voxels=4.0)
    start = model.start(space, Affine.identity(2), "cpu")
    noise = torch.randn(start.values.shape, generator=torch.Generator().manual_seed(2)) * 4.0
    folded = model.build(replace(start, values=noise.to(start.values)))
    assert 0 < deformation(folded, space).ndv_percent < 2
    matrix = Affine.translation([3.0, 1.0])
    mended = run(matrix @ folded, space, paint).transform
    assert deformation(mended, space).ndv_percent == 0
    assert torch.equal(mended.parts[0].matrix, matrix.matrix)


def test_every_displacement_of_a_chain_is_mended(paint):
    space = Space.of_array((60, 60), 1.5)
    folded, matrix = push(space, 2.0), Affine.translation([3.0, 1.0])
    for chained in (folded @ matrix, matrix @ folded @ matrix, folded @ matrix @ known_warp(space, 3, 2.0)):
        outcome = run(chained, space, paint)
        fields = [part for part in outcome.transform.parts if isinstance(part, Displacement)]
        assert all(float(smallest_volume(part.field, space).min()) >= 0.02 for part in fields)
        assert len(outcome.notes) == 1


def test_much_that_folds_is_left_so_that_it_is_seen(paint):
    space = Space.of_array((40, 40))
    folded = push(space, 3.0, 8.0)
    outcome = run(folded, space, paint)
    assert outcome.transform is folded
    assert "left as it was" in outcome.notes[0]


def test_a_single_slice_and_double_precision(paint):
    flat = push(Space.of_array((40, 40), 1.5), 2.0)
    space = Space.of_array((1, 40, 40), (8.0, 1.5, 1.5))
    field = torch.zeros(3, 1, 40, 40, dtype=torch.float64)
    field[:2, 0] = flat.field.double()
    outcome = run(Displacement(field, space), space, paint)
    assert deformation(outcome.transform, space).fold_percent == 0
    assert outcome.transform.field.dtype == torch.float64


def test_a_stage_that_minimises_nothing_does_not_hide_how_the_last_one_ended(paint):
    picture = paint(Space.of_array((48, 48), 1.5))
    recipe = named("deformable")
    hurried = replace(recipe, stages=(replace(recipe.dense, schedule=Schedule((Level(2, steps=1),))), Unfold()))
    assert register(picture, Image(picture.data.flip(-1), picture.space), hurried).status is not Status.converged

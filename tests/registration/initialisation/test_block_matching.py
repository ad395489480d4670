"""Blocks that agree outvote those that do not: maps are found although a third of one image is something else."""

import pytest
import torch

from pullback.energy import NCC, Energy
from pullback.image import Image
from pullback.optimise import LBFGS, Level, Linear, Schedule, Status
from pullback.phantom import known_warp
from pullback.registration import BlockMatching, Optimise, Recipe, recipe_file, register
from pullback.registration.initialisation.trimmed import trimmed
from pullback.space import Space
from pullback.transforms import Affine

LEVELS = Schedule((Level(2, 15), Level(1, 5)))
SLOW = Schedule((Level(2, 40), Level(1, 20)))


def recipe(freedom="affine", schedule=LEVELS, **settings):
    return Recipe("blocks", "", (BlockMatching(freedom, schedule=schedule, **settings),))


def descent(freedom="affine"):
    return Recipe("descent", "", (Optimise(Linear(freedom), Energy(NCC()), LBFGS(), SLOW),))


def with_something_else(image, share=0.3, seed=0):
    """The image with another texture in a box that holds a share of it, as an implant or a resection would show."""
    data, d = image.data.clone(), image.dimension
    size = [round(n * share ** (1 / d)) for n in image.space.shape]
    start = [n // 2 for n in image.space.shape]
    coarse = torch.rand(1, 1, *[max(2, n // 4) for n in size], generator=torch.Generator().manual_seed(seed))
    size = [min(s, n - a) for s, n, a in zip(size, image.space.shape, start, strict=True)]
    mode = "bilinear" if d == 2 else "trilinear"
    texture = torch.nn.functional.interpolate(coarse, size=size, mode=mode)[0]
    box = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
    data[(slice(None), *box)] = texture * data.max()
    return Image(data, image.space), box


def truth_of(space, seed=3):
    d = space.dimension
    linear = torch.eye(d, dtype=torch.float64) + 0.05 * torch.randn(
        d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    return Affine.about(linear, [3.0, -2.0, 1.5][:d], space.centre)


@pytest.mark.parametrize("dimension", [2, 3])
def test_an_affine_map_is_found_although_a_part_of_the_image_is_something_else(paint, grid, corner_error, dimension):
    space = grid(dimension, {2: 1.0, 3: 2.4}[dimension])
    truth = truth_of(space)
    fixed, (moving, _) = paint(space, truth), with_something_else(paint(space), {2: 0.3, 3: 0.2}[dimension])
    found = register(fixed, moving, recipe())
    assert found.status is Status.converged
    assert corner_error(Affine.identity(dimension), truth, space) > 4.0
    assert corner_error(found.transform, truth, space) < 0.5 * space.finest
    assert corner_error(register(fixed, moving, descent()).transform, truth, space) > 2 * space.finest
    assert "blocks agree to within" in found.outcomes[0].notes[0]


@pytest.mark.parametrize("freedom", ["translation", "rigid", "similarity"])
def test_a_map_has_the_freedom_that_was_asked_for(paint, grid, corner_error, freedom):
    space = grid(2)
    truth = {
        "translation": Affine.translation([3.0, -2.0]),
        "rigid": Affine.rigid(6.0, [2.0, -1.0], space.centre),
        "similarity": Affine.similarity(1.06, 5.0, [2.0, -1.0], space.centre),
    }[freedom]
    found = register(paint(space, truth), paint(space), recipe(freedom)).transform
    assert corner_error(found, truth, space) < 0.5 * space.finest
    gram = found.linear.T @ found.linear
    scale = gram[0, 0] if freedom == "similarity" else 1.0
    assert torch.allclose(gram, scale * torch.eye(2, dtype=torch.float64), atol=1e-9)


def test_thick_slices_and_a_single_one(paint, grid, corner_error):
    """Along the slices a block is as thick as it is wide; out of a single one nothing moves."""
    stack = grid(3, (6.0, 1.8, 1.8))
    truth = Affine.rigid((4.0, 0.0, 0.0), [1.0, 2.0, -1.5], stack.centre)
    found = register(paint(stack, truth), paint(stack), recipe("rigid")).transform
    assert corner_error(found, truth, stack) < 1.0
    slice_ = Space((1, 60, 60), grid(3, (6.0, 1.2, 1.2)).matrix)
    turn = Affine.rigid((0.0, 0.0, 5.0), [2.0, -1.0, 0.0], slice_.centre)
    flat = register(paint(slice_, turn), paint(slice_), recipe("affine"))
    assert flat.ok
    assert corner_error(flat.transform, turn, slice_) < 0.8
    assert torch.allclose(flat.transform.matrix[2], torch.eye(4, dtype=torch.float64)[2], atol=1e-9)


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_masks_hide_what_most_blocks_show(paint, grid, corner_error, side):
    """Most of one image moves otherwise; under a mask of the rest, the rest is found."""
    space = grid(2)
    truth, lie = Affine.translation([2.5, -2.0]), Affine.translation([-3.0, 3.0])
    fixed, moving = paint(space, truth), paint(space)
    other = paint(space, lie) if side == "fixed" else paint(space, lie.inverse())
    spoiled = (fixed if side == "fixed" else moving).data.clone()
    spoiled[:, :, 20:] = (
        other.data[:, :, 20:] if side == "fixed" else paint(space, truth @ lie.inverse()).data[:, :, 20:]
    )
    keep = torch.ones_like(spoiled)
    keep[:, :, 20:] = 0
    spoiled, mask = Image(spoiled, space), Image(keep, space)
    images = (spoiled, moving) if side == "fixed" else (fixed, spoiled)
    free = register(*images, recipe("translation", kept_blocks=1.0))
    masked = register(*images, recipe("translation", kept_blocks=1.0), **{f"{side}_mask": mask})
    assert corner_error(free.transform, truth, space) > 3.0
    assert corner_error(masked.transform, truth, space) < 0.5


def test_it_starts_where_others_ended_also_from_a_deformation(paint, grid, corner_error):
    space = grid(2)
    bend = known_warp(space, seed=0, max_mm=2.0)
    truth = bend @ Affine.rigid(5.0, [3.0, -1.0], space.centre)
    found = register(paint(space, truth), paint(space), recipe("rigid"), initial=bend)
    assert found.ok
    assert corner_error(found.transform, truth, space) < 0.3 * space.finest


def test_where_nothing_is_found_it_says_so(grid, paint):
    space = grid(2)
    image = paint(space)
    few = Image((torch.arange(60 * 60).view(1, 60, 60) < 3).float(), space)
    found = register(few, image, recipe())
    assert found.status is Status.no_match
    assert found.outcomes[0].notes == ("too few blocks were found again",)
    far = Image(image.data, Space(space.shape, Affine.translation([500.0, 0.0]).matrix @ space.matrix))
    assert register(image, far, recipe()).status is Status.no_overlap


@pytest.mark.parametrize("freedom", ["rigid", "affine"])
def test_least_trimmed_squares_do_not_see_the_outliers(freedom):
    generator = torch.Generator().manual_seed(0)
    here = 50 * torch.rand(200, 3, generator=generator, dtype=torch.float64)
    truth = Affine.rigid((10.0, -5.0, 8.0), [3.0, -2.0, 1.0])
    there = truth(here)
    there[:80] += torch.tensor([9.0, 6.0, -9.0]) + 3 * torch.randn(80, 3, generator=generator, dtype=torch.float64)
    space = Space.of_array((50, 50, 50))
    fit = trimmed(here, there, freedom, 0.5, space)
    assert torch.allclose(fit.transform.matrix, truth.matrix, atol=1e-9)
    assert fit.kept == 100
    assert float(fit.left_mm[80:].max()) < 1e-9
    assert float((trimmed(here, there, freedom, 1.0, space).transform(here[80:]) - there[80:]).norm(dim=1).mean()) > 1
    assert trimmed(here[:2], there[:2], freedom, 0.5, space) is None
    assert trimmed(here[:1].expand(40, -1), there[:40], freedom, 0.5, space) is None


def test_it_comes_back_from_a_recipe_file(tmp_path):
    whole = recipe("rigid", block_voxels=6, reach_voxels=2, kept_blocks=0.25, kept_matches=0.75)
    text = recipe_file.to_yaml(whole)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    assert recipe_file.read(tmp_path / "mine.yaml") == whole
    assert "kept_matches: 0.75  # the share of what is found" in text

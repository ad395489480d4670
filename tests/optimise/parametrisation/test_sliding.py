"""Sliding: two sides of a border that share the motion across it, and not the motion along it."""

import math

import pytest
import torch

import pullback as pb
from pullback import ops
from pullback.energy import LNCC, MSE, Energy
from pullback.errors import InputError, RecipeError
from pullback.optimise import GradientDescent, Greedy, Level, Schedule, Sliding
from pullback.optimise.parametrisation.border import Border
from pullback.registration import Optimise, Recipe, Symmetric
from pullback.registration.group import Variance, register_group
from pullback.space import Space
from pullback.transforms import Affine, Displacement

SPACE = Space.of_array((64, 64), 1.5)
OFFSET = SPACE.grid() - SPACE.centre
DISC = (OFFSET.norm(dim=-1) < 26).float()[None, None]
OUTWARD = (OFFSET / OFFSET.norm(dim=-1, keepdim=True)).movedim(-1, 0).float()
RIM = (OFFSET.norm(dim=-1) - 26).abs() < 2


def one(model, stage=Optimise, levels=((2, 40), (1, 30))):
    schedule = Schedule(tuple(Level(*level) for level in levels))
    return Recipe("one", "", (stage(model, Energy(MSE()), GradientDescent(0.5), schedule),))


def test_a_border_points_across_itself(oblique_space, dimension):
    space = oblique_space(dimension)
    offset = space.grid() - space.centre
    border = Border.of((offset.norm(dim=-1) < 7).float()[None, None], space, 1.5)
    near = (offset.norm(dim=-1) - 7).abs() < 1.5
    outward = -(offset / offset.norm(dim=-1, keepdim=True)).movedim(-1, 0)
    alike = (border.across * outward.float()).sum(dim=0)[near]
    assert float(alike.mean()) > (0.98 if dimension == 2 else 0.93)  # a ball of five thick slices is not round


def test_smoothing_keeps_a_shift_and_joins_what_goes_across():
    border = Border.of(DISC, SPACE, 2.0)
    shift = torch.ones(2, *SPACE.shape)
    assert torch.allclose(border.smoothed(shift, [2.0, 2.0]), shift.expand(2, -1, -1, -1), atol=1e-4)
    rough = torch.randn(2, *SPACE.shape, generator=torch.Generator().manual_seed(0))
    one_side, other = border.smoothed(rough, [2.0, 2.0])
    jump = (one_side - other)[:, RIM]
    assert float((jump * OUTWARD[:, RIM]).sum(dim=0).abs().max()) < 0.15 * float(jump.norm(dim=0).max())
    far = OFFSET.norm(dim=-1) > 45
    assert torch.allclose(other[:, far], ops.smooth(rough[None], [2.0, 2.0])[0][:, far], atol=1e-3)


@pytest.fixture(scope="module")
def turned():
    """A disc that turns by 12 degrees in surroundings that stay; the truth."""
    draw = torch.Generator().manual_seed(3)
    texture = ops.smooth(torch.randn(1, 1, 64, 64, generator=draw), [1.5, 1.5])[0]
    turn = math.radians(12.0)
    x, y = OFFSET.unbind(dim=-1)
    there = torch.stack([x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)])
    truth = ((there - OFFSET.movedim(-1, 0)) * DISC[0]).float()
    moving = pb.Image(texture / texture.std(), SPACE)
    return pb.apply(Displacement(truth, SPACE), moving, onto=moving), moving, truth


def test_a_disc_turns_within_what_stays(turned):
    fixed, moving, truth = turned
    mask = pb.Image(DISC[0], SPACE)
    errors, found = [], None
    for model, masks in ((Greedy(2.0, 0.5), {}), (Sliding("disc", 2.0, 0.5), {"disc": (mask, None)})):
        found = pb.register(fixed, moving, one(model), masks=masks)
        errors.append((found.transform.displace(SPACE) - truth).norm(dim=0))
    assert float(errors[1][RIM].mean()) < 0.5 * float(errors[0][RIM].mean())
    assert float(errors[1][OFFSET.norm(dim=-1) < 40].mean()) < 0.5 * float(errors[0][OFFSET.norm(dim=-1) < 40].mean())
    assert found is not None
    radius = (SPACE.grid() + found.transform.displace(SPACE).movedim(0, -1) - SPACE.centre).norm(dim=-1)
    gap = (radius - OFFSET.norm(dim=-1))[RIM & (OFFSET.norm(dim=-1) < 26)]
    assert float(gap.abs().mean()) < 0.3  # mm: the disc stays in its bed


def test_without_its_mask_it_asks_for_it_or_is_greedy(turned):
    fixed, moving, _ = turned
    with pytest.raises(InputError, match="the mask 'disc', not among what was given"):
        pb.register(fixed, moving, one(Sliding("disc")))
    levels = ((2, 10), (1, 5))
    plain = pb.register(fixed, moving, one(Greedy(2.0, 0.5), levels=levels))
    same = pb.register(fixed, moving, one(Sliding("disc", 2.0, 0.5, optional=True), levels=levels))
    assert torch.equal(plain.transform.field, same.transform.field)
    for value, what in ((1.0, "all"), (0.0, "nothing|empty")):
        whole = pb.Image(torch.full((1, 64, 64), value), SPACE)
        with pytest.raises(InputError, match=what):
            pb.register(fixed, moving, one(Sliding("disc")), masks={"disc": (whole, None)})


def test_where_no_mask_can_be_given_it_says_so(turned):
    fixed, moving, _ = turned
    with pytest.raises(RecipeError, match="can be halved"):
        one(Sliding("disc"), Symmetric)
    with pytest.raises(RecipeError, match="groups take no masks by name"):
        register_group([fixed, moving], one(Sliding("disc")), Variance())


def test_it_starts_from_what_is_known_and_keeps_it_on_a_finer_grid(smooth_field):
    model, coarse = Sliding("disc", 1.5, 0.0), SPACE.resized((32, 32))
    bent = Displacement(smooth_field(coarse, 3.0), coarse)
    initial = Affine.translation([2.0, -1.0]) @ bent
    masks = {"disc": ops.resize(DISC, coarse.shape)}
    params = model.placed(model.start(coarse, initial, "cpu"), masks)
    points = SPACE.to_world(
        torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 40 + 10
    )
    assert (model.build(params)(points) - initial(points)).norm(dim=-1).max() < 1e-4
    force = model.precondition(params, torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(1)))
    params = model.retract(params, force / model.length(force))
    assert model.length(force / model.length(force)) == pytest.approx(1.0, rel=1e-5)
    fine = model.placed(model.refine(params, SPACE), {"disc": DISC})
    away = (points - SPACE.centre).norm(dim=-1).sub(26).abs() > 4  # at the border the finer mask is the sharper one
    assert (model.build(fine)(points) - model.build(params)(points)).norm(dim=-1)[away].max() < 0.15


def test_lungs_slide_along_the_ribs():
    pair = pb.phantom.breathing_chest(20.0, Space.of_array((96, 96), 2.7))
    lung = pair.fixed_labels.data == 1
    mask = pb.Image(lung[None].float(), pair.fixed.space)
    across = (pair.fixed.space.grid() - pair.fixed.space.centre)[..., 0].abs()
    errors = []
    for masks in ({}, {"lung": (mask, None)}):
        result = pb.register(pair.fixed, pair.moving, "lung-ct", masks=masks)
        assert result.ok
        errors.append((result.transform.displace(pair.fixed.space) - pair.truth.field).norm(dim=0))
    assert float(errors[1][lung].mean()) < 0.6 * float(errors[0][lung].mean())
    rim = lung & (across > 84)
    assert float(errors[1][rim].mean()) < 0.6 * float(errors[0][rim].mean())


def test_a_volume_slides_too():
    """A cylinder of thick slices; smoothing is as wide in mm along every axis."""
    space = Space.of_array((6, 40, 40), (4.0, 1.5, 1.5))
    offset = space.grid() - space.centre
    inside = offset[..., 1:].norm(dim=-1) < 16
    truth = torch.zeros(3, *space.shape)
    truth[0] = torch.where(inside, 3.0, 0.0)  # along its axis
    draw = torch.Generator().manual_seed(5)
    moving = pb.Image(ops.smooth(torch.randn(1, 1, *space.shape, generator=draw), [0.7, 1.4, 1.4])[0], space)
    fixed = pb.apply(Displacement(truth, space), moving, onto=moving)
    masks = {"tube": (pb.Image(inside[None].float(), space), None)}
    sliding = Recipe(
        "tube", "", (Optimise(Sliding("tube", 2.0), Energy(LNCC()), GradientDescent(), Schedule((Level(1, 40),))),)
    )
    found = pb.register(fixed, moving, sliding, masks=masks).transform.displace(space)
    error = (found - truth).norm(dim=0)[1:-1]
    assert float(error.mean()) < 0.6
    assert float((found[0, :, 20, 20]).mean()) > 2.2

"""B-spline: a control grid over the field of view, whose steps are set in voxels or in mm."""

import pytest
import torch

from pullback.optimise import LBFGS, Adam, BSpline, GradientDescent, Objective, Params, minimise
from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement
from pullback.transforms import BSpline as Spline

SPACE = Space.of_array((30, 40), 1.5)


def control(model, space):
    return model.build(model.start(space, Affine.identity(space.dimension), "cpu")).space


@pytest.mark.parametrize("spacing", [1.0, 2.7, 5.0, 100.0])
def test_every_voxel_lies_where_all_its_control_points_are(spacing):
    for space in (SPACE, Space.of_array((12, 30, 41), (6.0, 1.0, 1.3))):
        lattice = control(BSpline(spacing), space)
        ends = torch.tensor([[-0.5] * space.dimension, [n - 0.5 for n in space.shape]])
        at = lattice.to_voxels(space.to_world(ends.double()))
        assert torch.all(at >= 1 - 1e-6)
        assert torch.all(at <= torch.tensor(lattice.shape) - 2 + 1e-6)


def test_steps_are_alike_in_mm_but_for_thicker_voxels():
    space = Space.of_array((12, 60, 80), (8.0, 1.0, 1.5))
    assert control(BSpline(5.0), space).spacing == pytest.approx((8.0, 5.0, 5.0))
    assert control(BSpline(spacing_mm=12.0), space).spacing == pytest.approx((12.0, 12.0, 12.0))
    half = space.resized((12, 30, 40))
    assert control(BSpline(5.0), half).spacing == pytest.approx((10.0, 10.0, 10.0))
    assert control(BSpline(spacing_mm=12.0), half).spacing == pytest.approx((12.0, 12.0, 12.0))


def test_a_single_slice_has_one_control_point_across():
    lattice = control(BSpline(5.0), Space.of_array((1, 30, 40), (8.0, 1.0, 1.0)))
    assert lattice.shape[0] == 1


@pytest.mark.parametrize("shape", [(60, 80), (30, 40), (45, 61)])
def test_a_halved_step_keeps_the_spline_exactly(shape):
    """And a step that is not a whole part of the last one nearly."""
    model, fine = BSpline(4.0), SPACE.resized(shape)
    values = torch.randn(2, *control(model, SPACE).shape, generator=torch.Generator().manual_seed(0))
    params = Params(values.double(), SPACE, Affine.identity(2))
    before, after = (model.build(p).displace(fine) for p in (params, model.refine(params, fine)))
    assert float((after - before).abs().max()) < (0.1 if shape == (45, 61) else 1e-6)
    assert float(before.abs().max()) > 1


def test_an_initial_deformation_stays_as_it_is(smooth_field):
    initial = Affine.rigid(12.0) @ Displacement(smooth_field(SPACE, 2.0), SPACE)
    whole = BSpline().build(BSpline().start(SPACE, initial, "cpu"))
    assert isinstance(whole, Composite)
    assert whole.parts[1] is initial.parts[1]
    assert isinstance(whole.parts[2], Spline)


@pytest.mark.parametrize(
    "optimiser",
    [GradientDescent(), GradientDescent(momentum=0.5), Adam(), LBFGS()],
    ids=["gd", "momentum", "adam", "lbfgs"],
)
@pytest.mark.parametrize("kind", ["2D", "oblique slice"])
def test_every_optimiser_finds_a_motion_that_a_spline_can_make(optimiser, kind, oblique_space):
    space = SPACE if kind == "2D" else oblique_space(3, (1, 24, 30))
    model = BSpline(6.0)
    start = model.start(space, Affine.identity(space.dimension), "cpu")
    wanted = torch.randn(start.values.shape, generator=torch.Generator().manual_seed(1))
    wanted = 2 * model.precondition(start, wanted)  # within the plane
    aim = model.build(Params(wanted, space, start.initial)).displace(space)

    def loss(params):
        return ((model.build(params).displace(space) - aim) ** 2).sum(dim=0).mean()

    found = minimise(Objective(loss, model), start, optimiser, steps=200, unit_mm=1.0, tolerance=0.0)
    assert found.loss < 0.02 * float((aim**2).sum(dim=0).mean())
    stray = found.params.values - model.precondition(start, found.params.values)
    assert float(stray.abs().max()) < 1e-4, "it stays in the plane"

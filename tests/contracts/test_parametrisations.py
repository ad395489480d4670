"""What every parametrisation promises: numbers stand for a transform in mm on any grid; steps are as long as said."""

from dataclasses import replace

import pytest
import torch

from pullback.optimise import SVF, BSpline, Greedy, Linear, Params, Sliding, Smoothed, TimeVaryingVelocity
from pullback.space import Space
from pullback.transforms import Affine, Displacement
from pullback.transforms.affine import rotation

FREEDOMS = ("translation", "scaling", "rigid", "similarity", "affine_without_shear", "affine")
MODELS = {freedom: Linear(freedom) for freedom in FREEDOMS} | {
    "greedy": Greedy(smooth_update_voxels=1.5, smooth_total_voxels=0.0),
    "sliding-nowhere": Sliding("lung", smooth_update_voxels=1.5, smooth_total_voxels=0.0, optional=True),
    "svf": SVF(smooth_update_voxels=1.5, smooth_total_voxels=0.0),
    "time-varying": TimeVaryingVelocity(smooth_update_voxels=1.5, smooth_total_voxels=0.0, intervals=2),
    "b-spline": BSpline(spacing_voxels=4.0),
    "gaussian-greedy": Smoothed(Greedy(smooth_update_voxels=0.0, smooth_total_voxels=0.0), "gaussian", reach_mm=2.0),
    "sobolev-svf": Smoothed(SVF(smooth_update_voxels=0.0, smooth_total_voxels=0.0), "sobolev", reach_mm=2.0),
}
SPACES = ("2D", "3D", "slice")

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
every_space = pytest.mark.parametrize("kind", SPACES)
every_freedom = pytest.mark.parametrize("freedom", FREEDOMS)


@pytest.fixture
def grid(oblique_space):
    """A grid of unequal spacing, oblique in the world; "slice" is a single oblique slice of it."""

    def make(kind, scale=1):
        if kind == "2D":
            return oblique_space(2, (24 * scale, 32 * scale), 1 / scale)
        shape = (1, 20 * scale, 28 * scale) if kind == "slice" else (12 * scale, 18 * scale, 20 * scale)
        return oblique_space(3, shape, 1 / scale)

    return make


@pytest.fixture
def finer():
    """The same field of view in twice as many voxels along every axis that has more than one."""
    return lambda space: space.resized([n if n == 1 else 2 * n for n in space.shape])


def random_step(params, length, model, seed=0):
    """A smooth random step of the given length in mm."""
    generator = torch.Generator().manual_seed(seed)
    step = torch.randn(params.values.shape, generator=generator, dtype=torch.float64).to(params.values)
    step = model.precondition(params, step)
    return step * (length / model.length(step))


def normal(space):
    """The direction across a single slice."""
    in_plane = torch.linalg.qr(space.linear[:, [a for a, n in enumerate(space.shape) if n > 1]]).Q
    across = space.linear[:, space.shape.index(1)]
    across = across - in_plane @ (in_plane.T @ across)
    return across / across.norm()


@every_model
@every_space
def test_it_starts_as_the_initial_transform(model, kind, grid, smooth_field, points_inside):
    space = grid(kind)
    shift = Affine.rigid(
        [5.0] if space.dimension == 2 else [5.0, -3.0, 8.0], shift_mm=[4.0, -2.0, 1.0][: space.dimension]
    )
    bent = Displacement(smooth_field(space, 2.0), space)
    for initial in (Affine.identity(space.dimension), shift, shift @ bent, bent):
        params = model.start(space, initial, "cpu")
        points = space.grid().reshape(-1, space.dimension)[:: max(1, space.count // 200)]
        assert (model.build(params)(points) - initial(points)).abs().max() < 1e-4


@every_model
@every_space
def test_a_finer_grid_keeps_the_transform(model, kind, grid, finer, smooth_field, points_inside):
    space = grid(kind)
    kind = type(model.model if isinstance(model, Smoothed) else model)
    if kind in (Greedy, Sliding):
        params = model.start(space, Displacement(smooth_field(space, 4.0), space), "cpu")
    elif kind is TimeVaryingVelocity:
        params = model.start(space, Affine.identity(space.dimension), "cpu")
        params = model.retract(params, torch.stack([smooth_field(space, 4.0, seed=seed) for seed in range(2)]))
    else:
        params = model.start(space, Affine.identity(space.dimension), "cpu")
        params = model.retract(params, smooth_field(space, 6.0) if kind is SVF else random_step(params, 6.0, model))
    fine = model.refine(params, finer(space))
    points = points_inside(space)
    moved = (model.build(params)(points) - points).norm(dim=-1).max()
    difference = (model.build(fine)(points) - model.build(params)(points)).norm(dim=-1).max()
    assert fine.space.shape == finer(space).shape
    assert moved > 1.0
    assert difference < (1e-9 if isinstance(model, Linear) else 0.02 * moved)


@every_model
@every_space
def test_a_step_of_nothing_changes_nothing(model, kind, grid, smooth_field, points_inside):
    space = grid(kind)
    initial = Affine.translation([1.0, 2.0, 3.0][: space.dimension]) @ Displacement(smooth_field(space, 2.0), space)
    params = model.start(space, initial, "cpu")
    params = model.retract(params, random_step(params, 1.0, model))
    still = model.retract(params, torch.zeros_like(params.values))
    assert torch.allclose(still.values, params.values, atol=1e-5)
    assert model.length(torch.zeros_like(params.values)) == 0.0


@pytest.mark.parametrize("model", [*MODELS.values(), Greedy(smooth_total_voxels=1.5)], ids=[*MODELS, "elastic"])
@every_space
def test_two_halves_of_a_step_make_the_whole(model, kind, grid):
    space = grid(kind)
    params = model.start(space, Affine.identity(space.dimension), "cpu")
    step = random_step(params, 2.0, model)
    whole = model.retract(params, step, -0.7)
    halves = model.settled(model.stepped(params, step, -0.7))
    assert torch.equal(halves.values, whole.values)
    assert not torch.equal(whole.values, params.values)


@every_model
@every_space
def test_a_step_is_as_long_as_it_says(model, kind, grid):
    space = grid(kind)
    params = model.start(space, Affine.identity(space.dimension), "cpu")
    for seed in range(5):
        step = random_step(params, 0.5, model, seed)
        assert model.length(step) == pytest.approx(0.5, rel=1e-4)
        assert model.length(3 * step) == pytest.approx(1.5, rel=1e-4)
        motion = model.build(model.retract(params, step)).displace(space).norm(dim=0)
        far = float(motion.max()) if model.local else float((motion**2).mean().sqrt())
        assert (0.1 if isinstance(model, Smoothed) else 0.2) < far < 0.6


@every_model
def test_every_single_number_moves_voxels_by_about_its_size(model, grid):
    if model.local:
        return  # its numbers are the motion itself
    for kind in SPACES:
        params = model.start(grid(kind), Affine.identity(grid(kind).dimension), "cpu")
        for one in torch.eye(len(params.values), dtype=torch.float64):
            motion = model.build(model.retract(params, one)).displace(params.space).norm(dim=0)
            assert 0.15 < float((motion**2).mean().sqrt()) < 1.1


@every_model
@every_space
def test_the_transform_is_differentiable_in_the_numbers(model, kind, grid, points_inside):
    space = grid(kind)
    if model.local:
        most = 3 if isinstance(model, TimeVaryingVelocity) else 5
        space = Space(tuple(min(n, most) for n in space.shape), space.matrix)
    start = model.start(space, Affine.translation([0.3, -0.2, 0.1][: space.dimension]), "cpu")
    params = model.retract(start, random_step(start, 0.7, model))
    points = points_inside(space, count=6)

    def moved(values):
        return model.build(Params(values, params.space, params.initial))(points)

    values = params.values.to(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(moved, values, eps=1e-6, atol=1e-6)


@every_model
def test_a_single_slice_stays_in_its_plane(model, grid):
    space = grid("slice")
    params = model.start(space, Affine.identity(3), "cpu")
    for seed in range(4):
        params = model.retract(params, random_step(params, 3.0, model, seed))
    motion = model.build(params).displace(space)
    assert float(motion.norm(dim=0).max()) > 2.0
    assert float(torch.einsum("i,i...->...", normal(space).to(motion), motion).abs().max()) < 1e-4


@every_model
@every_space
def test_numbers_are_values(model, kind, grid):
    space = grid(kind)
    params = model.start(space, Affine.identity(space.dimension), "cpu")
    before, step = params.values.clone(), random_step(params, 1.0, model)
    kept = step.clone()
    first, second = model.retract(params, step), model.retract(params, step)
    model.precondition(params, step)
    model.refine(params, space)
    assert torch.equal(first.values, second.values)
    assert torch.equal(params.values, before)
    assert torch.equal(step, kept)
    with pytest.raises(AttributeError):
        model.name = "another"


@every_freedom
@every_space
def test_linear_keeps_to_its_freedom_however_far_it_goes(freedom, kind, grid):
    model, space = Linear(freedom), grid(kind)
    params = model.start(space, Affine.identity(space.dimension), "cpu")
    for seed in range(5):
        transform = model.build(model.retract(params, random_step(params, 60.0, model, seed)))
        linear = transform.matrix[:-1, :-1]
        gram, eye = linear.T @ linear, torch.eye(space.dimension, dtype=torch.float64)
        assert float(torch.linalg.det(linear)) > 0
        if freedom == "translation":
            assert torch.equal(linear, eye)
        if freedom == "rigid":
            assert torch.allclose(gram, eye, atol=1e-10)
            assert float(torch.linalg.det(linear)) == pytest.approx(1, abs=1e-10)
        if freedom == "scaling" and kind != "slice":
            assert torch.allclose(linear, linear.T, atol=1e-10)
        if freedom == "affine_without_shear" and kind == "2D":
            axes = torch.linalg.qr(space.linear).Q  # a factor along each axis of the image, then a turn
            stretched = axes.T @ gram @ axes
            assert torch.allclose(stretched, torch.diag(torch.diag(stretched)), atol=1e-10)
        if freedom == "similarity" and kind != "slice":
            assert torch.allclose(gram, gram[0, 0] * eye, atol=1e-10)


@every_freedom
@pytest.mark.parametrize(
    ("kind", "counts"), [("2D", (2, 4, 3, 4, 5, 6)), ("3D", (3, 6, 6, 7, 9, 12)), ("slice", (2, 4, 3, 4, 5, 6))]
)
def test_linear_has_as_many_numbers_as_freedoms(freedom, kind, counts, grid):
    params = Linear(freedom).start(grid(kind), Affine.identity(grid(kind).dimension), "cpu")
    assert len(params.values) == counts[FREEDOMS.index(freedom)]


def test_linear_reaches_every_rotation_and_every_affine_map(grid):
    """The numbers of a wanted map are found by a few Gauss-Newton steps: no direction is missing."""
    for freedom, wanted in (
        ("rigid", Affine.rigid([70.0, -40.0, 25.0], [5.0, -3.0, 9.0])),
        ("affine", Affine.about(rotation([20.0, 10.0, -30.0], 3) @ torch.diag(torch.tensor([1.3, 0.8, 1.1])).double())),
    ):
        model, space = Linear(freedom), grid("3D")
        params = model.start(space, Affine.identity(3), "cpu")
        points = space.grid().reshape(-1, 3)[::431]
        aim = wanted(points - space.centre) + space.centre

        def gap(values, model=model, params=params, points=points, aim=aim):
            return (model.build(replace(params, values=values))(points) - aim).flatten()

        for _ in range(30):
            slope = torch.autograd.functional.jacobian(gap, params.values)
            step = -torch.linalg.lstsq(slope, gap(params.values)[:, None]).solution[:, 0]
            params = model.retract(params, step * min(1.0, 20.0 / model.length(step)))
        assert float(gap(params.values).abs().max()) < 1e-6


@pytest.mark.parametrize("kind", ["2D", "3D"])
def test_greedy_does_not_fold_by_small_smooth_steps(kind, grid):
    model, space = Greedy(smooth_update_voxels=1.7, smooth_total_voxels=0.0), grid(kind)
    params = model.start(space, Affine.identity(space.dimension), "cpu")
    for seed in range(40):
        params = model.retract(params, random_step(params, 0.5 * space.finest, model, seed))
    displacement = model.build(params)
    assert float(displacement.field.norm(dim=0).max()) > 1.5 * space.finest
    assert float(displacement.jacobian().min()) > 0


def test_greedy_composes_the_step_on_the_fixed_side(grid, smooth_field, points_inside):
    model, space = Greedy(smooth_total_voxels=0.0), grid("2D", scale=4)
    first, step = smooth_field(space, 3.0, seed=1), smooth_field(space, 1.0, seed=2)
    params = model.retract(model.start(space, Displacement(first, space), "cpu"), step)
    points = points_inside(space)
    expected = (Displacement(first, space) @ Displacement(step, space))(points)
    assert (model.build(params)(points) - expected).norm(dim=-1).max() < 0.01
    other_way = (Displacement(step, space) @ Displacement(first, space))(points)
    assert (model.build(params)(points) - other_way).norm(dim=-1).max() > 0.05


def test_greedy_smooths_alike_in_mm_along_every_axis(oblique_space):
    space = oblique_space(3, (24, 40, 40))
    model = Greedy(smooth_update_voxels=4.0)
    params = model.start(space, Affine.identity(3), "cpu")
    spike = torch.zeros(3, *space.shape)
    spike[:, 12, 20, 20] = 1.0
    smoothed = model.precondition(params, spike)[0].to(torch.float64)
    offset = torch.stack(torch.meshgrid(*[torch.arange(n) - n // 2 for n in space.shape], indexing="ij"))
    spread = [float((smoothed * offset[a] ** 2).sum() / smoothed.sum()) ** 0.5 * space.spacing[a] for a in range(3)]
    expected = 4.0 * space.finest
    assert spread[1:] == pytest.approx([expected] * 2, rel=0.05)
    assert spread[0] == pytest.approx(
        expected, rel=0.25
    )  # barely a voxel of the thick axis: the sampled Gaussian is rough

"""What every Transform promises, whatever its kind."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch

from pullback.errors import InputError
from pullback.space import Space
from pullback.transforms import (
    Affine,
    BSpline,
    Composite,
    Displacement,
    Flow,
    Halfway,
    ThinPlateSpline,
    Transform,
    Velocity,
    from_landmarks,
    split,
)
from pullback.transforms.split import as_displacement

KINDS = [
    "affine",
    "displacement",
    "bspline",
    "velocity",
    "flow",
    "composite",
    "inverse",
    "bspline-inverse",
    "halfway",
    "thin-plate",
    "thin-plate-inverse",
]
SOLVED_MM = dict.fromkeys(KINDS, 5e-4) | {"affine": 1e-9, "velocity": 0.04, "flow": 0.04}
SOLVED_FOR = ("inverse", "bspline-inverse", "halfway", "thin-plate-inverse")
"""What needs an inverse to be solved for: nothing is differentiated through it, and numbers are needed."""
"""How well T.inverse() undoes T: exactly, by iteration to 1e-4 mm, or up to the interpolation between squarings."""


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return str(request.param)


@pytest.fixture
def build(oblique_space, smooth_field):  # noqa: C901 - one kind after another
    """A transform of any kind: build("velocity", 3, seed=0), its fields on the oblique space, or on a larger one."""

    def affine(d: int, seed: int) -> Affine:
        linear = torch.eye(d) + 0.1 * torch.randn(d, d, generator=torch.Generator().manual_seed(seed))
        return Affine.about(linear, [1.0, -2.0, 0.5][:d], oblique_space(d).centre)

    def make(kind: str, d: int, seed: int = 0, space: Space | None = None, dtype=torch.float32) -> Transform:
        space = space or oblique_space(d)
        field = smooth_field(space, largest_mm=2.0, seed=seed, dtype=dtype)
        if kind == "affine":
            return affine(d, seed)
        if kind == "displacement":
            return Displacement(field, space)
        if kind == "velocity":
            return Velocity(field, space)
        if kind == "flow":
            fields = [smooth_field(space, largest_mm=2.0, seed=seed + k, dtype=dtype) for k in range(3)]
            return Flow(torch.stack(fields), space)
        if kind == "inverse":
            return Displacement(field, space).inverse()
        if kind.startswith("thin-plate"):
            generator = torch.Generator().manual_seed(seed)
            unit = torch.rand(12, d, generator=generator, dtype=torch.float64)
            knots = space.to_world(unit * (torch.tensor(space.shape) - 1))
            fitted = from_landmarks(knots, knots + 1.5 * torch.sin(9 * unit + seed), "tps").parts[-1]
            spline = ThinPlateSpline(knots, fitted.weights.to(dtype))
            return spline if kind == "thin-plate" else spline.inverse()
        if kind == "halfway":
            halves = [Displacement(smooth_field(space, 1.5, seed=seed + k, dtype=dtype), space) for k in (0, 1)]
            return Halfway(affine(d, seed) @ halves[0], halves[1], space)
        if kind.startswith("bspline"):  # control points of a lattice of its own, along the axes of the space
            control = space.resized([max(4, n // 2) for n in space.shape])
            spline = BSpline(smooth_field(control, largest_mm=2.5, seed=seed, dtype=dtype), control)
            return spline if kind == "bspline" else spline.inverse()
        return affine(d, seed) @ Displacement(field, space) @ affine(d, seed + 1)

    return make


def tensors(value) -> list[torch.Tensor]:
    """Every tensor inside a transform."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, tuple):
        return [t for part in value for t in tensors(part)]
    return [t for f in fields(value) for t in tensors(getattr(value, f.name))] if is_dataclass(value) else []


def vectors(transform) -> torch.Tensor:
    """The field that a transform is made of."""
    if isinstance(transform, ThinPlateSpline):
        return transform.weights
    if isinstance(transform, Flow):
        return transform.fields
    return transform.coefficients if isinstance(transform, BSpline) else transform.field


def made_of(field, transform):
    """The same transform with other vectors."""
    if isinstance(transform, ThinPlateSpline):
        return ThinPlateSpline(transform.knots, field)
    return type(transform)(field, transform.space)


def test_it_is_of_its_dimension_and_moves_something(kind, dimension, build, oblique_space, points_inside):
    transform, points = build(kind, dimension), points_inside(oblique_space(dimension))
    assert transform.dimension == dimension
    assert float((transform(points) - points).norm(dim=-1).max()) > 0.5


def test_the_inverse_undoes_it(kind, dimension, build, oblique_space, points_inside):
    transform, points = build(kind, dimension), points_inside(oblique_space(dimension))
    back = transform.inverse()
    for there_and_back in (back(transform(points)), transform(back(points)), (back @ transform)(points)):
        assert float((there_and_back - points).norm(dim=-1).max()) < SOLVED_MM[kind]
    assert float((back.inverse()(points) - transform(points)).norm(dim=-1).max()) < SOLVED_MM[kind]


@pytest.mark.parametrize("place", range(3))
def test_composition_is_one_after_another_and_associative(kind, place, dimension, build, oblique_space, points_inside):
    parts = [
        build("displacement", dimension, seed=5),
        build("affine", dimension, seed=6),
        build("velocity", dimension, 7),
    ]
    parts[place] = build(kind, dimension)
    a, b, c = parts
    points = points_inside(oblique_space(dimension))
    expected = a(b(c(points)))
    for whole in ((a @ b) @ c, a @ (b @ c), Composite((a, b, c)), Composite((Composite((a, b)), c))):
        torch.testing.assert_close(whole(points), expected, atol=1e-9, rtol=0)


def test_points_and_grids_agree(kind, dimension, build, oblique_space):
    transform = build(kind, dimension)
    for space in (oblique_space(dimension), Space.of_array((6, 7, 8)[:dimension], 3.0)):
        field = transform.displace(space)
        assert field.shape == (dimension, *space.shape)
        assert field.dtype == torch.float32
        expected = (transform(space.grid()) - space.grid()).movedim(-1, 0)
        torch.testing.assert_close(field.double(), expected, atol=5e-4, rtol=1e-5)
        torch.testing.assert_close(as_displacement(transform, space), field)


def test_a_displacement_can_come_first(kind, dimension, build, oblique_space, smooth_field):
    transform, space = build(kind, dimension), oblique_space(dimension)
    first = smooth_field(space, largest_mm=3.0, seed=9, dtype=torch.float64)
    expected = transform(space.grid() + first.movedim(0, -1)) - space.grid()
    found = transform.displace(space, first)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected.movedim(-1, 0), atol=2e-4, rtol=0)
    torch.testing.assert_close(transform.displace(space, first.float()), found.float(), atol=5e-4, rtol=0)


def test_a_double_precision_field_stays_so(kind, dimension, build, oblique_space):
    if kind == "affine":
        pytest.skip("an affine transform holds no field")
    space = oblique_space(dimension)
    transform = build(kind, dimension, dtype=torch.float64)
    expected = (transform(space.grid()) - space.grid()).movedim(-1, 0)
    torch.testing.assert_close(transform.displace(space), expected, atol=3e-4 if kind in SOLVED_FOR else 1e-5, rtol=0)


def test_split_is_the_whole(kind, dimension, build, oblique_space):
    transform, space = build(kind, dimension), oblique_space(dimension)
    for whole in (
        transform,
        build("affine", dimension, 3) @ transform,
        build("displacement", dimension, 3) @ transform,
    ):
        affine, field = split(whole, space)
        points = space.grid() if field is None else space.grid() + field.movedim(0, -1)
        torch.testing.assert_close(affine(points), whole(space.grid()), atol=1e-3, rtol=0)


def test_points_come_in_any_shape_and_kind(kind, dimension, build, oblique_space, points_inside):
    transform, points = build(kind, dimension), points_inside(oblique_space(dimension), 24)
    expected = transform(points)
    assert expected.dtype == torch.float64
    for shape in ((24,), (2, 3, 4), (1, 24, 1)):
        torch.testing.assert_close(transform(points.reshape(*shape, dimension)), expected.reshape(*shape, dimension))
    torch.testing.assert_close(transform(points[0]), expected[0])
    assert transform(points[:0]).shape == (0, dimension)
    for other in (points.numpy(), points.tolist(), tuple(points.tolist())):
        torch.testing.assert_close(transform(other), expected)
    single = transform(points.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, atol=5e-4, rtol=0)
    whole = points.round()
    for numbers in (whole.long(), whole.to(torch.int32), whole.long().numpy(), whole.long().tolist()):
        torch.testing.assert_close(transform(numbers), transform(whole))


@pytest.mark.usefixtures("unchecked")
def test_points_of_another_dimension_are_refused(kind, dimension, build):
    transform = build(kind, dimension)
    for wrong in (torch.zeros(5, 5 - dimension), torch.zeros(5), torch.tensor(1.0), [[1.0], [2.0]], np.zeros((2, 4))):
        with pytest.raises(InputError, match=f"{dimension}D transform moves points of {dimension} coordinates"):
            transform(wrong)
    with pytest.raises(InputError, match="real numbers are needed"):
        transform(["left", "right"])


def test_what_is_no_transform_cannot_be_chained(kind, dimension, build):
    with pytest.raises(TypeError):
        build(kind, dimension) @ torch.eye(dimension + 1)
    for a, b in ((dimension, 5 - dimension), (5 - dimension, dimension)):
        with pytest.raises(InputError, match="cannot chain transforms of dimensions"):
            build(kind, a) @ build(kind, b)
        with pytest.raises(InputError, match="cannot chain transforms of dimensions"):
            Affine.identity(a) @ build(kind, b)


def test_far_away_it_is_still_finite(kind, dimension, build):
    transform = build(kind, dimension)
    far = 1e4 * torch.tensor([[1.0, 1, 1], [-1, 1, -1], [0, 0, 1]])[:, :dimension]
    assert torch.isfinite(transform(far)).all()
    assert torch.isfinite(transform.displace(Space.of_array((3, 4, 5)[:dimension], 5000.0))).all()


def test_nothing_inside_changes_or_moves(kind, dimension, build, oblique_space):
    transform, space = build(kind, dimension), oblique_space(dimension)
    before = [(t, t.clone()) for t in tensors(transform)]
    assert before
    transform(space.grid())
    transform.displace(space)
    transform.inverse()(space.grid())
    for tensor, copy in before:
        assert torch.equal(tensor, copy)
    for tensor, (same, _) in zip(tensors(transform), before, strict=True):
        assert tensor is same


def test_answers_lie_on_the_device_of_what_was_asked(kind, dimension, build, oblique_space):
    """A "meta" tensor has a device and a shape and no numbers; an Inverse cannot be solved without numbers."""
    if kind in SOLVED_FOR:
        pytest.skip("there is no accelerator in the tests, and numbers are needed to solve for an inverse")
    transform, space = build(kind, dimension), oblique_space(dimension)
    assert transform(torch.zeros(5, dimension, device="meta")).device.type == "meta"
    first = torch.zeros(dimension, *space.shape, device="meta")
    if kind == "affine":
        assert transform.displace(space, first).device.type == "meta"
    elif kind in ("displacement", "velocity", "bspline", "thin-plate"):
        there = made_of(vectors(transform).to("meta"), transform)
        assert there.displace(space).device.type == "meta"
        for start in (first, torch.zeros_like(first, device="cpu")):  # a matrix that comes first works on the CPU
            assert there.displace(space, start).device.type == "meta"


def test_its_description_is_one_line(kind, dimension, build):
    line = repr(build(kind, dimension))
    assert "\n" not in line
    assert 10 < len(line) < 250
    assert "tensor(" not in line


def test_gradients_reach_what_it_is_made_of(kind, dimension, build, oblique_space):
    if kind in SOLVED_FOR:
        pytest.skip("an inverse is solved for; nothing is differentiated through it")
    transform, space = build(kind, dimension), oblique_space(dimension)
    if kind == "affine":
        matrix = transform.matrix.clone().requires_grad_()
        leaf, whole = matrix, Affine(matrix)
    elif kind == "composite":
        leaf = transform.parts[1].field.clone().requires_grad_()
        whole = Composite((transform.parts[0], Displacement(leaf, transform.parts[1].space), transform.parts[2]))
    else:
        leaf = vectors(transform).clone().requires_grad_()
        whole = made_of(leaf, transform)
    for asked in (lambda: whole.displace(space), lambda: whole(space.grid().float())):
        (gradient,) = torch.autograd.grad(asked().square().sum(), [leaf])
        assert torch.isfinite(gradient).all()
        assert float(gradient.abs().max()) > 0

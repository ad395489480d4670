"""The spline of `ffd` at any places: against the one on a grid, finite differences, and its own transpose."""

import pytest
import torch

from pullback import ops
from pullback.errors import InputError

SIZES = {2: (9, 14), 3: (6, 9, 11)}
CONTROLS = {2: (6, 8), 3: (5, 6, 7)}
SCALES = {2: (0.37, 0.31), 3: (0.4, 0.33, 0.37)}
OFFSETS = (-3.0, 1.2, 5.5)  # some of the places lie beyond the control grid
rows = pytest.mark.parametrize("row", ["cpu", "reference"])


def random(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) - 0.5


@pytest.fixture
def kernel(row):
    """What the row computes in, while it is the one that runs."""
    from pullback.ops import _dispatch  # noqa: PLC0415

    if (reason := _dispatch._missing("ffd_sample", row)) is not None:
        pytest.skip(f"the {row} kernel of ffd_sample cannot run here: {reason}")
    with ops.use_kernels(row), ops.recorded() as log:
        yield (torch.float32, 5e-6) if row == "cpu" else (torch.float64, 1e-12)
    assert log["ffd_sample"] == row


def grid(d):
    """(size, scale, offset) as `ffd` takes them, and the same as a matrix."""
    size, scale, offset = SIZES[d], torch.tensor(SCALES[d]).double(), torch.tensor(OFFSETS[:d]).double()
    return (size, scale.tolist(), offset.tolist()), torch.cat([torch.diag(scale), offset[:, None]], dim=1)


@rows
def test_places_of_a_grid_read_what_the_grid_reads(kernel, dimension):
    dtype, tolerance = kernel
    coefficients = random(1, 3, *CONTROLS[dimension], dtype=dtype)
    lattice, matrix = grid(dimension)
    expected = ops.ffd(coefficients.double(), *lattice).to(dtype)
    found = ops.ffd_sample(coefficients, matrix, shape=lattice[0])
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
    displacement, mix = 3 * random(1, dimension, *lattice[0], seed=1, dtype=dtype), random(dimension, dimension, seed=2)
    here = matrix.clone()
    here[:, -1] = 0  # what the matrix leaves out, the displacement brings
    moved = torch.einsum("ij,bj...->bi...", mix.to(dtype), displacement)
    apart = torch.linalg.solve(
        mix.to(dtype), (matrix[:, -1].to(dtype).view(-1, *[1] * dimension) - moved[0]).flatten(1)
    )
    there = displacement + apart.reshape(displacement.shape)
    again = ops.ffd_sample(coefficients, here, there, mix)
    torch.testing.assert_close(again, expected, atol=50 * tolerance, rtol=0)


@rows
def test_points_are_read_in_any_order(kernel, dimension):
    dtype, tolerance = kernel
    coefficients = random(1, 3, *CONTROLS[dimension], dtype=dtype)
    (size, scale, offset), _ = grid(dimension)
    axes = [torch.arange(n, dtype=torch.float64) * s + o for n, s, o in zip(size, scale, offset, strict=True)]
    at = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, dimension).to(dtype)
    expected = ops.ffd(coefficients.double(), size, scale, offset)[0].flatten(1).T.to(dtype)
    order = torch.randperm(len(at), generator=torch.Generator().manual_seed(0))
    found = ops.ffd_points(coefficients[0], at[order])
    torch.testing.assert_close(found, expected[order], atol=tolerance, rtol=0)
    assert ops.ffd_points(coefficients[0], at[:0]).shape == (0, 3)


@rows
def test_the_gradient_is_the_transpose(kernel, dimension):
    """<A c, g> = <c, A' g> for any c and g, also where places lie so close that many add to one control point."""
    dtype, tolerance = kernel
    coefficients = random(1, 3, *CONTROLS[dimension], dtype=dtype).requires_grad_()
    for reach in (0.01, 8.0):
        displacement = 2 + reach * random(1, dimension, *(3 * n for n in SIZES[dimension]), seed=4, dtype=dtype)
        values = ops.ffd_sample(coefficients, torch.zeros(dimension, dimension + 1), displacement)
        upstream = 1 + random(*values.shape, seed=1, dtype=dtype)
        (back,) = torch.autograd.grad(values, coefficients, upstream)
        there = float((values.detach().double() * upstream.double()).sum())
        home = float((coefficients.detach().double() * back.double()).sum())
        assert there == pytest.approx(home, abs=tolerance * upstream.numel())
        assert abs(there) > 1


def test_slopes_are_those_of_finite_differences(dimension):
    coefficients, h = random(2, *CONTROLS[dimension]), 1e-5
    at = 12 * (random(200, dimension, seed=3)) + 3
    found = ops.ffd_slopes(coefficients, at)
    for axis in range(dimension):
        step = h * torch.eye(dimension, dtype=torch.float64)[axis]
        slope = (ops.ffd_points(coefficients, at + step) - ops.ffd_points(coefficients, at - step)) / (2 * h)
        torch.testing.assert_close(found[..., axis], slope, atol=1e-6, rtol=0)
    few = at[:9].requires_grad_()
    assert torch.autograd.gradcheck(ops.ffd_points, [coefficients.requires_grad_(), few], fast_mode=True)


@rows
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_positions_that_point_nowhere_read_an_end(kernel, value):
    dtype, tolerance = kernel
    coefficients = random(2, 5, 6, dtype=dtype)
    found = ops.ffd_points(coefficients, torch.tensor([[value, value]], dtype=dtype))
    end = coefficients[:, -1, -1] if value == 1e30 else coefficients[:, 0, 0]  # infinity times 0 is not a number
    torch.testing.assert_close(found[0], end, atol=tolerance, rtol=0)


@rows
def test_a_batch_of_one_serves_all_of_the_others(kernel):
    dtype, tolerance = kernel
    coefficients, matrix = random(1, 2, 6, 7, dtype=dtype).requires_grad_(), torch.zeros(2, 3)
    displacement = 6 * random(2, 2, 8, 9, seed=2, dtype=dtype) + 3
    both = ops.ffd_sample(coefficients, matrix, displacement)
    (back,) = torch.autograd.grad(both.square().sum(), coefficients)
    parts = [ops.ffd_sample(coefficients, matrix, one[None]) for one in displacement]
    (apart,) = torch.autograd.grad(sum(part.square().sum() for part in parts), coefficients)
    torch.testing.assert_close(both, torch.cat(parts), atol=0, rtol=0)
    torch.testing.assert_close(back, apart, atol=10 * tolerance, rtol=0)


@pytest.mark.usefixtures("unchecked")
def test_what_makes_no_sense_is_refused():
    coefficients, matrix = torch.zeros(1, 2, 5, 5), torch.eye(2, 3)
    with pytest.raises(InputError, match="needs an output shape"):
        ops.ffd_sample(coefficients, matrix)
    with pytest.raises(InputError, match=r"needs a \(2, 3\) matrix"):
        ops.ffd_sample(coefficients, torch.eye(3, 4), shape=(4, 4))
    with pytest.raises(InputError, match="displacement"):
        ops.ffd_sample(coefficients, matrix, torch.zeros(1, 3, 4, 4))

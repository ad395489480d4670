"""`ffd` against sums over control points, and what a cubic spline of a control grid promises."""

import itertools

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from pullback import ops
from pullback.errors import InputError

SIZES = {2: (9, 14), 3: (6, 9, 11)}
CONTROLS = {2: (6, 8), 3: (5, 6, 7)}
SCALES = {2: (0.37, 0.31), 3: (0.4, 0.33, 0.37)}
OFFSETS = {2: (1.0, 1.2), 3: (1.0, 1.1, 1.15)}  # every voxel lies where all four control points exist
rows = pytest.mark.parametrize("row", ["cpu", "reference"])


def grid(d):
    return SIZES[d], SCALES[d], OFFSETS[d]


def random(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) - 0.5


def run(row, *arguments):
    with ops.use_kernels(row), ops.recorded() as log:
        result = ops.ffd(*arguments)
    if log["ffd"] != row:
        pytest.skip(f"the {row} kernel of ffd cannot run here")
    return result


@pytest.fixture
def kernel(row):
    """The row, and what it computes in."""
    from pullback.ops import _dispatch  # noqa: PLC0415

    if (reason := _dispatch._missing("ffd", row)) is not None:
        pytest.skip(f"the {row} kernel of ffd cannot run here: {reason}")
    return row, (torch.float32 if row == "cpu" else torch.float64), (2e-6 if row == "cpu" else 1e-12)


def b(x):
    """scipy's cubic B-spline, centred."""
    return np.nan_to_num(BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)(x))


@rows
def test_values_are_sums_over_control_points(kernel, dimension):
    row, dtype, tolerance = kernel
    size, scale, offset = SIZES[dimension], SCALES[dimension], (-2.0, 1.2, 4.5)[:dimension]
    coefficients = random(1, 2, *CONTROLS[dimension], dtype=dtype)
    expected = np.zeros((2, *size))
    edge = 4  # enough control points beyond the ends, alike those
    wide = np.pad(coefficients[0].numpy(), [(0, 0)] + [(edge, edge)] * dimension, mode="edge")
    for k in itertools.product(*(range(n) for n in wide.shape[1:])):
        weight = np.ones(())
        for axis in range(dimension):
            weight = np.multiply.outer(weight, b(np.arange(size[axis]) * scale[axis] + offset[axis] - k[axis] + edge))
        expected += wide[(slice(None), *k)].reshape(-1, *[1] * dimension) * weight
    found = run(row, coefficients, size, scale, offset)[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=tolerance)


@rows
def test_equal_coefficients_give_a_constant_everywhere(kernel, dimension):
    row, dtype, tolerance = kernel
    size = (30, 40, 20)[:dimension]
    ones = torch.full((1, 1, *CONTROLS[dimension]), 3.0, dtype=dtype)
    found = run(row, ones, size, (0.4,) * dimension, (-5.0,) * dimension)
    torch.testing.assert_close(found, torch.full_like(found, 3.0), atol=3 * tolerance, rtol=0)


@rows
def test_linear_functions_are_reproduced(kernel, dimension):
    row, dtype, tolerance = kernel
    size, scale, offset = grid(dimension)
    slope = [0.7, -0.4, 1.3][:dimension]

    def ramp(shape, steps, start):
        lines = [s * (torch.arange(n, dtype=torch.float64) * a + o)
                 for s, n, a, o in zip(slope, shape, steps, start, strict=True)]  # fmt: skip
        return sum(torch.meshgrid(*lines, indexing="ij"))[None, None].to(dtype)

    coefficients = ramp(CONTROLS[dimension], [1.0] * dimension, [0.0] * dimension)
    found = run(row, coefficients, size, scale, offset)
    torch.testing.assert_close(found, ramp(size, scale, offset), atol=20 * tolerance, rtol=0)


@rows
def test_the_gradient_is_the_transpose(kernel, dimension):
    """<A c, g> = <c, A' g> for any c and g."""
    row, dtype, tolerance = kernel
    coefficients = random(1, 3, *CONTROLS[dimension], dtype=dtype).requires_grad_()
    dense = run(row, coefficients, *grid(dimension))
    upstream = random(*dense.shape, seed=1, dtype=dtype)
    (back,) = torch.autograd.grad(dense, coefficients, upstream)
    there, home = (
        float((dense.detach().double() * upstream).sum()),
        float((coefficients.detach().double() * back).sum()),
    )
    assert there == pytest.approx(home, abs=50 * tolerance)
    assert abs(there) > 0.01


def test_an_axis_of_one_control_point_is_constant_along_it():
    coefficients = random(1, 2, 1, 5, 6)
    found = ops.ffd(coefficients, (4, 7, 9), (0.3, 0.3, 0.3), (0.0, 1.0, 1.0))
    alone = ops.ffd(coefficients[:, :, 0], (7, 9), (0.3, 0.3), (1.0, 1.0))
    torch.testing.assert_close(found, alone[:, :, None].expand_as(found))


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_the_number_of_threads_changes_no_bit(name):
    coefficients = random(1, 3, 9, 10, 11, dtype=torch.float32).requires_grad_()
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            dense = ops.ffd(coefficients, (29, 40, 51), (0.2,) * 3, (1.0,) * 3)
            (gradient,) = torch.autograd.grad(dense, coefficients, dense.detach() ** 2)
            results.append(dense.detach() if name == "forward" else gradient)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.usefixtures("unchecked")
def test_what_makes_no_sense_is_refused():
    coefficients = torch.zeros(1, 2, 5, 5)
    for arguments in (
        ((9,), (1.0, 1.0), (0.0, 0.0)),
        ((9, 9), (1.0,), (0.0, 0.0)),
        ((9, 9), (1.0, 1.0), (0.0,)),
        ((9, 9), (torch.nan, 1.0), (0.0, 0.0)),
        ((9, 0), (1.0, 1.0), (0.0, 0.0)),
    ):
        with pytest.raises(InputError, match="ffd needs"):
            ops.ffd(coefficients, *arguments)


def test_a_fit_undoes_it_and_is_the_nearest(dimension):
    size, scale, offset = grid(dimension)
    coefficients = random(2, 3, *CONTROLS[dimension])
    dense = ops.ffd(coefficients, size, scale, offset)
    back = ops.ffd_fit(dense, CONTROLS[dimension], scale, offset)
    torch.testing.assert_close(ops.ffd(back, size, scale, offset), dense, atol=1e-9, rtol=0)
    rough = dense + random(*dense.shape, seed=4)
    fitted = ops.ffd_fit(rough, CONTROLS[dimension], scale, offset)
    least = float((ops.ffd(fitted, size, scale, offset) - rough).norm())
    for seed in range(5):
        other = fitted + 1e-2 * random(*fitted.shape, seed=seed)
        assert float((ops.ffd(other, size, scale, offset) - rough).norm()) > least

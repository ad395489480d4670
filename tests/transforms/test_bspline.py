"""BSpline: a smooth motion by few numbers; on every grid and at every point the same."""

import pytest
import torch

from pullback import ops
from pullback.errors import SpaceError
from pullback.evaluate import deformation
from pullback.image import Image
from pullback.io import read_transform, write_transform
from pullback.space import Space
from pullback.transforms import Affine, BSpline, Displacement, resample


@pytest.fixture
def spline(oblique_space, smooth_field):
    """A spline on a lattice of its own along the axes of an oblique space, and that space."""

    def make(d, largest_mm=2.0, dtype=torch.float32):
        space = oblique_space(d)
        control = space.resized([n // 2 for n in space.shape])
        return BSpline(smooth_field(control, largest_mm=largest_mm, dtype=dtype), control), space

    return make


def test_coefficients_must_fit_their_grid(dimension, oblique_space):
    space = oblique_space(dimension)
    with pytest.raises(SpaceError, match="coefficients"):
        BSpline(torch.zeros(dimension, *(n + 1 for n in space.shape)), space)


def test_grids_along_its_axes_and_across_are_read_alike(dimension, spline):
    """Axis by axis on the one, point by point on the other."""
    transform, space = spline(dimension, dtype=torch.float64)
    with ops.recorded() as log:
        fast = transform.displace(space)
    assert "ffd" in log
    points = space.grid()
    torch.testing.assert_close(fast, (transform(points) - points).movedim(-1, 0), atol=1e-10, rtol=0)
    angles = [9.0] if dimension == 2 else [9.0, 3.0, 3.0]
    turned = Space(space.shape, Affine.rigid(angles).matrix @ space.matrix)
    with ops.recorded() as log:
        slow = transform.displace(turned)
    assert "ffd" not in log
    points = turned.grid()
    torch.testing.assert_close(slow, (transform(points) - points).movedim(-1, 0), atol=1e-10, rtol=0)
    flipped = space.flip(0)
    torch.testing.assert_close(transform.displace(flipped), fast.flip(1), atol=1e-10, rtol=0)


def test_linear_coefficients_are_an_affine_map(dimension):
    """So a spline of linear coefficients stretches evenly, with a Jacobian that everybody knows."""
    control = Space.of_array((9, 10, 11)[:dimension], 5.0)
    stretch = (control.grid() - control.centre).movedim(-1, 0) * 0.1
    transform = BSpline(stretch, control)
    inner = control.crop((2,) * dimension, tuple(n - 2 for n in control.shape)).resized((12,) * dimension)
    expected = Affine.similarity(1.1, centre=control.centre, dimension=dimension)
    torch.testing.assert_close(transform(inner.grid()), expected(inner.grid()))
    determinant = transform.jacobian(inner)
    torch.testing.assert_close(determinant, torch.full_like(determinant, 1.1**dimension))


def test_the_jacobian_is_that_of_the_dense_field(dimension, spline):
    transform, space = spline(dimension, largest_mm=3.0)
    fine = space.crop([n // 4 for n in space.shape], [3 * n // 4 for n in space.shape]).resized([24] * dimension)
    dense = Displacement(transform.displace(fine), fine).jacobian()
    inside = (slice(2, -2),) * dimension
    torch.testing.assert_close(transform.jacobian(fine)[inside], dense[inside], atol=0.02, rtol=0)
    assert float((dense - 1).abs().max()) > 0.1
    summary = deformation(transform, fine)
    assert summary.jacobian_min == pytest.approx(float(dense.min()), abs=1e-4)


def test_its_inverse_is_exact_everywhere(dimension, spline):
    transform, space = spline(dimension, largest_mm=3.0, dtype=torch.float64)
    back = transform.inverse()
    assert float(back.residual(space.grid().reshape(-1, dimension)).max()) < 1e-4
    assert back.inverse() is transform


def test_it_is_written_as_itself_and_as_a_dense_field(dimension, spline, tmp_path):
    transform, space = spline(dimension)
    points = space.grid()
    write_transform(transform, tmp_path / "bent.h5")
    assert float((read_transform(tmp_path / "bent.h5")(points) - transform(points)).norm(dim=-1).max()) < 1e-3
    if dimension == 3:
        write_transform(transform, tmp_path / "bent.nii.gz", onto=space)
        back = read_transform(tmp_path / "bent.nii.gz")
        assert float((back(points) - transform(points)).norm(dim=-1).max()) < 1e-3


def test_images_are_pulled_back_through_it(dimension, spline):
    transform, space = spline(dimension)
    image = Image(torch.sin(space.grid() * 0.2).sum(dim=-1)[None].float(), space)
    one = resample(image, transform, space)
    other = resample(image, Displacement(transform.displace(space), space), space)
    assert torch.equal(one.data, other.data)
    assert float((one.data - image.data).abs().max()) > 0.05

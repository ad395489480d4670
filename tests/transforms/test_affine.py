"""Affine: its constructors, their signs and their centres."""

import math

import numpy as np
import pytest
import torch

from pullback.errors import InputError
from pullback.image import Image
from pullback.transforms import Affine, resample
from pullback.transforms.affine import rotation

CENTRES = {2: [3.0, -7.0], 3: [3.0, -7.0, 11.0]}


def dot(row: float, column: float) -> Image:
    """A 41 x 61 image of one soft spot, as a bare array."""
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(61.0), indexing="ij")
    return Image.of(torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8))


def peak(image: Image) -> tuple[float, float]:
    """Row and column of the middle of the spot."""
    weights = image.data[0] / image.data.sum()
    rows, columns = torch.meshgrid(torch.arange(41.0), torch.arange(61.0), indexing="ij")
    return float((weights * rows).sum()), float((weights * columns).sum())


def test_a_rotation_leaves_its_centre_where_it_is(dimension):
    angles = 35.0 if dimension == 2 else [10.0, -20.0, 35.0]
    centre = torch.tensor(CENTRES[dimension], dtype=torch.float64)
    turn = Affine.rigid(angles, centre=centre)
    torch.testing.assert_close(turn(centre), centre)
    assert float((turn(centre + 10) - centre).norm()) == pytest.approx(10 * math.sqrt(dimension))
    assert float(torch.linalg.det(turn.linear)) == pytest.approx(1)
    shifted = Affine.rigid(angles, shift_mm=[1.0, 2.0, 3.0][:dimension], centre=CENTRES[dimension])
    torch.testing.assert_close(shifted(centre), centre + torch.tensor([1.0, 2.0, 3.0][:dimension]))
    torch.testing.assert_close(shifted.linear, turn.linear)


def test_a_positive_angle_turns_points_from_x_to_y():
    turned = Affine.rigid(90)(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(turned, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("angles", "point", "expected"),
    [
        ([90, 0, 0], [0, 1, 0], [0, 0, 1]),  # about x: y goes to z
        ([0, 90, 0], [0, 0, 1], [1, 0, 0]),  # about y: z goes to x
        ([0, 0, 90], [1, 0, 0], [0, 1, 0]),  # about z: x goes to y
        ([90, 90, 0], [0, 1, 0], [1, 0, 0]),  # x comes first
        ([90, 0, 90], [0, 0, 1], [1, 0, 0]),  # z comes last
        ([0, 90, 90], [0, 0, 1], [0, 1, 0]),
    ],
)
def test_3d_angles_turn_about_x_then_y_then_z(angles, point, expected):
    turned = Affine.rigid(angles)(torch.tensor(point, dtype=torch.float64))
    torch.testing.assert_close(turned, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)


def test_rotations_are_rotations():
    for matrix in (rotation([25.0], 2), rotation([25.0, -70.0, 160.0], 3), rotation([], 2), rotation([], 3)):
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix), dtype=torch.float64))
        assert float(torch.linalg.det(matrix)) == pytest.approx(1)


def test_a_similarity_scales_evenly_about_its_centre(dimension):
    centre = torch.tensor(CENTRES[dimension], dtype=torch.float64)
    grow = Affine.similarity(1.5, centre=centre)
    torch.testing.assert_close(grow(centre + 2), centre + 3)
    turned = Affine.similarity(1.5, 30.0 if dimension == 2 else [0, 0, 30.0], centre=centre)
    assert float(torch.linalg.det(turned.linear)) == pytest.approx(1.5**dimension)


def test_the_dimension_is_found_in_whatever_tells_it():
    assert Affine.rigid().dimension == 2
    assert Affine.rigid(dimension=3).dimension == 3
    assert Affine.rigid([1, 2, 3]).dimension == 3
    assert Affine.rigid(shift_mm=[1, 2, 3]).dimension == 3
    assert Affine.rigid(centre=torch.zeros(3)).dimension == 3
    assert Affine.rigid(np.float64(30), centre=[0, 0]).dimension == 2
    assert Affine.identity(3).dimension == 3


def test_about_is_any_linear_map_about_a_centre(dimension):
    linear = torch.eye(dimension) + torch.tensor([[0.1, 0.2, 0], [0, 0, 0.3], [0.4, 0, 0]])[:dimension, :dimension]
    centre, shift = torch.tensor(CENTRES[dimension]), torch.tensor([1.0, 2.0, 3.0])[:dimension]
    points = 10 * torch.randn(20, dimension, generator=torch.Generator().manual_seed(0))
    expected = (points - centre) @ linear.T + centre + shift
    torch.testing.assert_close(Affine.about(linear, shift, centre)(points), expected)


def test_the_warped_image_moves_by_minus_the_shift():
    """Columns run to -x and rows to -y: reading 3 mm further to +x, the spot appears 3 columns further on."""
    image = dot(20, 30)
    warped = resample(image, Affine.translation([3.0, 5.0]), image.space)
    spot, was = torch.tensor(peak(warped)), torch.tensor(peak(image))
    torch.testing.assert_close(spot - was, torch.tensor([5.0, 3.0]), atol=1e-3, rtol=0)
    before, after = (image.space.to_world(at.double()) for at in (was, spot))
    torch.testing.assert_close(after - before, torch.tensor([-3.0, -5.0], dtype=torch.float64), atol=1e-3, rtol=0)


def test_the_tutorials_exercise_is_30_degrees_clockwise_about_the_middle():
    """A spot at 12 o'clock goes to 1 o'clock on the screen, where rows go down and columns to the right."""
    image = dot(20 - 12, 30)
    turned = resample(image, Affine.rigid(angles_degrees=-30, centre=image.space.centre), image.space)
    row, column = peak(turned)
    assert row == pytest.approx(20 - 12 * math.cos(math.radians(30)), abs=0.02)
    assert column == pytest.approx(30 + 12 * math.sin(math.radians(30)), abs=0.02)


def test_gradients_reach_the_numbers_it_was_made_of():
    shift = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    matrix = torch.eye(2, dtype=torch.float64, requires_grad=True)
    Affine.about(matrix, shift)(torch.ones(4, 2)).sum().backward()
    torch.testing.assert_close(shift.grad, torch.full((2,), 4.0, dtype=torch.float64))
    torch.testing.assert_close(matrix.grad, torch.full((2, 2), 4.0, dtype=torch.float64))
    other = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    Affine.translation(other).matrix.sum().backward()
    torch.testing.assert_close(other.grad, torch.ones(2, dtype=torch.float64))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.eye(2), r"3x3 \(2D\) or 4x4 \(3D\) matrix; got \(2, 2\)"),
        (torch.eye(5), r"got \(5, 5\)"),
        (torch.eye(3, 4), r"got \(3, 4\)"),
        (torch.tensor(3.0), r"got \(\)"),
        (torch.full((3, 3), torch.nan), "finite matrix; got NaN or infinity"),
        (torch.diag(torch.tensor([1.0, torch.inf, 1.0])), "finite"),
        (torch.diag(torch.tensor([1.0, 1.0, 2.0])), r"last row of an affine matrix must be \[0.0, 0.0, 1.0\]; got"),
        (torch.diag(torch.tensor([1.0, 0.0, 1.0])), "must be invertible; this one flattens space"),
    ],
)
def test_an_impossible_matrix_is_refused(matrix, message):
    with pytest.raises(InputError, match=message):
        Affine(matrix)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine.translation([1.0]), "2 or 3 numbers"),
        (lambda: Affine.translation([1.0, torch.nan]), "finite"),
        (lambda: Affine.rigid([1.0, 2.0]), r"2D rotation needs 1 angle\(s\); got \[1.0, 2.0\]"),
        (lambda: Affine.rigid(30, dimension=3), r"3D rotation needs 3 angle\(s\); got \[30.0\]"),
        (lambda: Affine.rigid([1.0, 2.0, 3.0], centre=[0.0, 0.0]), "3D transform need 3 numbers each"),
        (lambda: Affine.rigid(30, shift_mm=[0.0, 0.0], centre=[0.0, 0.0, 0.0]), "2D transform need 2 numbers each"),
        (lambda: Affine.similarity(0.0), "must be invertible"),
        (lambda: Affine.about(torch.eye(4)), r"2x2 or 3x3; got \(4, 4\)"),
        (lambda: Affine.about(torch.ones(2, 3)), r"2x2 or 3x3; got \(2, 3\)"),
    ],
)
def test_impossible_numbers_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()

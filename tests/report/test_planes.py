import itertools
import math

import numpy as np
import pytest
import torch

from pullback.report.planes import plane, screen_order, spread, stack_axis, strips
from pullback.space import Space


def orientations(space: Space):
    """The same voxels, stored in every order and from every side."""
    for order in itertools.permutations(range(space.dimension)):
        for flips in itertools.product((False, True), repeat=space.dimension):
            turned = space.permute(order)
            for axis, flip in enumerate(flips):
                turned = turned.flip(axis) if flip else turned
            yield turned


def corners(space: Space) -> torch.Tensor:
    """World points of the first and the last pixel of the first row, and of the first pixel of the last row."""
    rows, columns = space.shape[-2:]
    picked = [(0, 0), (0, columns - 1), (rows - 1, 0)]
    return space.to_world(torch.tensor([[0.0] * (space.dimension - 2) + [*p] for p in picked], dtype=torch.float64))


def test_a_plane_looks_alike_however_the_image_is_stored(dimension, oblique_space):
    space = oblique_space(dimension, shape=(9, 11, 13)[-dimension:])
    box = None
    for turned in orientations(space):
        axes = [None] if dimension == 2 else screen_order(turned)
        found = [corners(plane(turned, a, 0 if a is None else turned.shape[a] // 2).space) for a in axes]
        box = found if box is None else box
        for here, there in zip(found, box, strict=True):
            torch.testing.assert_close(here, there)


@pytest.mark.parametrize(
    ("axis", "letters", "direction"),
    [(0, ("A", "L", "P", "R"), "axial"), (1, ("S", "L", "I", "R"), "coronal"), (2, ("S", "P", "I", "A"), "sagittal")],
)
def test_the_patient_is_seen_as_radiologists_see_him(axis, letters, direction):
    matrix = torch.tensor([[0, 0, 2.0, 5], [0, 2, 0, 6], [2, 0, 0, 7], [0, 0, 0, 1]])  # stored towards S, A, R
    found = plane(Space((20, 21, 22), matrix), axis, 4)
    assert found.letters == letters
    assert found.title == f"{direction}, 5 of {(20, 21, 22)[axis]}"
    down, right = found.space.linear[:, 1], found.space.linear[:, 2]
    names = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    for step, letter in ((down, letters[2]), (right, letters[1])):
        world, sign = names[letter]
        assert float(step[world]) == 2.0 * sign


def test_a_slanted_plane_has_two_letters_a_side():
    turn = math.radians(35)
    c, s = 2 * math.cos(turn), 2 * math.sin(turn)
    matrix = torch.tensor([[c, s, 0, 9], [-s, c, 0, 9], [0, 0, 2, 9], [0, 0, 0, 1]], dtype=torch.float64)
    letters = plane(Space((20, 20, 20), matrix), 2, 0).letters
    assert letters is not None
    assert {letters[1], letters[3]} == {"LA", "RP"}  # the larger part first


def test_an_array_without_geometry_is_shown_as_it_is_stored_and_without_letters():
    found = plane(Space.of_array((30, 40), 1.5))
    assert found.letters is None
    torch.testing.assert_close(found.space.matrix, Space.of_array((30, 40), 1.5).matrix)
    assert found.size_mm == (45.0, 60.0)


@pytest.mark.parametrize(
    ("origin", "known"),
    [
        ((0, 0, 0), False),
        ((1, 1, 1), False),  # counted from one
        ((-9.5, -9.5, -9.5), False),
        ((-9.5, -9.5, 3.0), True),
        ((1, 1, 2), True),
    ],
)
def test_made_up_geometry_is_recognised(origin, known):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, 3] = torch.tensor(origin)
    assert Space((20, 20, 20), matrix).has_orientation is known


def test_a_slanted_grid_at_the_origin_knows_how_the_patient_lies(oblique_space):
    matrix = oblique_space(3).matrix.clone()
    matrix[:3, 3] = 0
    assert Space((20, 20, 20), matrix).has_orientation


@pytest.mark.parametrize(
    ("shape", "spacing", "axis"),
    [
        ((10, 200, 200), (8.0, 1.5, 1.5), 0),
        ((200, 200, 10), (1.5, 1.5, 8.0), 2),
        ((10, 256, 216), (1.0, 1.0, 1.0), 0),  # a stack whose header forgot the slice distance
        ((1, 256, 256), (1.0, 1.0, 1.0), 0),
        ((180, 1, 180), (1.0, 1.0, 1.0), 1),
        ((180, 210, 180), (1.0, 1.0, 1.0), None),
        ((120, 256, 256), (1.5, 0.9, 0.9), None),
        ((40, 40), (1.0, 9.0), None),
    ],
)
def test_stacks_are_told_from_volumes(shape, spacing, axis):
    assert stack_axis(Space.of_array(shape, spacing)) == axis


def test_slices_are_spread_over_what_is_bright():
    assert spread(np.ones(5), 7) == [0, 1, 2, 3, 4]
    profile = np.zeros(100)
    profile[40:70] = 1.0
    assert spread(profile, 3) == [44, 54, 64]
    assert spread(np.zeros(90), 3) == [15, 45, 75]


def test_slices_keep_their_number_when_the_margin_is_cut_off():
    space = Space.of_array((12, 60, 60), (8.0, 1.0, 1.0))
    found = strips(space, [np.ones(n) for n in space.shape], [(2, 12), (10, 50), (20, 60)], slices=12, across=1)
    assert len(found) == 1
    assert [p.title for p in found[0]] == [f"slice {k} of 12" for k in range(1, 13)]
    for index, each in enumerate(found[0]):
        assert each.space.shape == (1, 40, 40)
        expected = space.to_world(torch.tensor([float(index), 10.0, 20.0], dtype=torch.float64))
        torch.testing.assert_close(each.space.to_world(torch.zeros(3, dtype=torch.float64)), expected)


def test_a_volume_is_cut_three_ways():
    space = Space.of_array((60, 70, 80), 1.0)
    found = strips(space, [np.ones(n) for n in space.shape], [(0, n) for n in space.shape], slices=3, across=2)
    assert [len(planes) for planes in found] == [2, 2, 2]
    assert [planes[0].size_mm for planes in found] == [(70, 80), (60, 80), (60, 70)]

import itertools

import numpy as np
import pytest
import torch

from pullback.evaluate import deformation
from pullback.evaluate.nondiffeomorphic import negative_volume
from pullback.phantom import known_warp
from pullback.space import Space
from pullback.transforms import Affine, Displacement

EVEN = [(0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
ODD = [(1, 1, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0)]


def volume(places):
    """Signed volume of a simplex (area in 2D) whose corners are given."""
    edges = np.array(places[1:], dtype=float) - np.array(places[0], dtype=float)
    return np.linalg.det(edges) / {2: 2, 3: 6}[len(edges)]


def pieces(d):
    """The corners of every piece of both cuts of a unit cell, ordered so that each is positive."""
    found = []
    for corner in itertools.product((0, 1), repeat=d):
        neighbours = [tuple(1 - c if a == axis else c for a, c in enumerate(corner)) for axis in range(d)]
        found.append([corner, *neighbours])
    found += [EVEN, ODD] if d == 3 else []
    return [piece if volume(piece) > 0 else [piece[0], piece[2], piece[1], *piece[3:]] for piece in found]


def folded_volume(field):
    """Half the volume of all folded pieces, cell by cell; field (d, *shape) in voxels."""
    d = len(field)
    total = 0.0
    for cell in np.ndindex(*[n - 1 for n in field.shape[1:]]):
        for piece in pieces(d):
            corners = [tuple(c + p for c, p in zip(cell, corner, strict=True)) for corner in piece]
            total += max(0.0, -volume([np.array(corner) + field[(slice(None), *corner)] for corner in corners]))
    return total / 2


def test_the_cuts_fill_the_cell_twice():
    for d in (2, 3):
        assert sum(volume(piece) for piece in pieces(d)) == pytest.approx(2)


@pytest.mark.parametrize("shape", [(12, 11), (9, 8, 10)])
@pytest.mark.parametrize("seed", [0, 1])
def test_folded_volume_against_simplices(shape, seed):
    """Where nothing moves at the border, counting at voxels and counting in cells are the same."""
    d = len(shape)
    field = np.zeros((d, *shape), np.float32)
    inner = (slice(None), *[slice(3, -3)] * d)
    field[inner] = np.random.default_rng(seed).normal(0, 0.8, field[inner].shape)
    space = Space.of_array(shape, [2.0, 1.5, 0.8][:d])
    mm = torch.einsum("ij,j...->i...", space.linear.float(), torch.from_numpy(field))
    expected = folded_volume(field)
    assert expected > 0.5
    assert float(negative_volume(mm, space).sum()) == pytest.approx(expected, rel=1e-4)


def test_a_fold_that_central_differences_miss():
    """Every second row jumps back by more than a voxel: from voxel to voxel the map folds, over two it does not."""
    space = Space.of_array((20, 20))
    field = torch.zeros(2, 20, 20)
    field[1, 1::2] = 1.4  # y runs against the rows: up by 1.4 voxels
    summary = deformation(Displacement(field, space), space)
    assert summary.fold_percent < 11  # only the one-sided differences at the border see it
    assert summary.ndv_percent > 15


@pytest.mark.parametrize("shape", [(6, 7), (5, 6, 7), (1, 6, 7), (2, 6, 7)])
def test_a_mirror_image_is_all_folded_and_the_identity_not_at_all(shape):
    space = Space.of_array(shape, [3.0, 1.5, 1.2][-len(shape) :])
    d = len(shape)
    flip = torch.ones(d + 1)
    flip[0] = -1
    assert deformation(Affine(torch.diag(flip)), space).ndv_percent == pytest.approx(100, rel=1e-5)
    assert deformation(Affine.identity(d), space).ndv_percent == 0


def test_a_diffeomorphism_has_none():
    space = Space.of_array((30, 32, 34), 2.0)
    assert deformation(known_warp(space, 3), space).ndv_percent == 0

"""Strain against motions whose strain is a formula."""

import math
from dataclasses import dataclass

import pytest
import torch

from pullback.cardiac import green_lagrange, strain
from pullback.errors import InputError
from pullback.image import Labels
from pullback.phantom import beating_heart, heart_space
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform

THICK = 150.0
"""mm^2 by which R^2 = r^2 - THICK: a ring that keeps its area."""


@dataclass(frozen=True)
class Ring(Transform):
    """r^2 -> r^2 - THICK about the origin of a plane, turned by an angle: lambda_c = R / r, lambda_r = r / R."""

    turn: float = 0.0
    dimension: int = 2

    def move(self, points):
        at = points[..., -2:]
        r = at.norm(dim=-1, keepdim=True)
        c, s = math.cos(self.turn), math.sin(self.turn)
        new = at * torch.sqrt((r**2 - THICK).clamp(min=1)) / r
        new = torch.stack([c * new[..., 0] - s * new[..., 1], s * new[..., 0] + c * new[..., 1]], dim=-1)
        return torch.cat([points[..., :-2], new], dim=-1)

    def inverse(self):
        raise NotImplementedError

    def displace(self, space, first=None):
        grid = space.grid()
        return (self.move(grid) - grid).movedim(-1, 0).float()


def turned(shape, spacing, degrees):
    """A grid about the origin that lies turned in the plane of the last two axes."""
    d, a = len(shape), math.radians(degrees)
    turn = torch.eye(d, dtype=torch.float64)
    turn[-2:, -2:] = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    matrix = torch.eye(d + 1, dtype=torch.float64)
    matrix[:-1, :-1] = turn @ torch.diag(torch.tensor(spacing, dtype=torch.float64))
    matrix[:-1, -1] = -matrix[:-1, :-1] @ torch.tensor([(n - 1) / 2 for n in shape], dtype=torch.float64)
    return Space(shape, matrix)


def ring_labels(space):
    r = space.grid()[..., -2:].norm(dim=-1)
    return Labels(2 * ((r > 22) & (r < 32)).long(), space), r


@pytest.mark.parametrize("degrees", [0, 25])
@pytest.mark.parametrize(("shape", "spacing"), [((80, 60), (1.0, 1.4)), ((3, 80, 60), (9.0, 1.0, 1.4))])
def test_a_ring_that_keeps_its_area(shape, spacing, degrees):
    space = turned(shape, spacing, degrees)
    labels, r = ring_labels(space)
    ring = Ring(turn=0.3, dimension=len(shape))  # turning leaves no strain
    inside = labels.data == 2
    around = -THICK / (2 * r**2)  # ((R/r)^2 - 1) / 2
    away = THICK / (2 * (r**2 - THICK))
    for transform, step, close in ((ring, 0.1, 2e-3), (Displacement(ring.displace(space), space), 1.0, 6e-3)):
        found = strain(transform, labels, step_voxels=step)
        assert float((found.circumferential - around)[inside].abs().max()) < close
        assert float((found.radial - away)[inside].abs().max()) < 3 * close
        assert bool(found.radial[~inside].isnan().all())
        assert found.by_sector(found.radial) == {}  # there is no right ventricle


def test_stretching_is_strain_and_turning_is_not():
    space = turned((12, 14), (2.0, 1.5), 30)
    a = math.radians(50)
    turn = Affine(torch.tensor([[math.cos(a), -math.sin(a), 3.0], [math.sin(a), math.cos(a), 1.0], [0, 0, 1]]).double())
    assert float(green_lagrange(turn, space).abs().max()) < 1e-5
    stretch = Affine(torch.diag(torch.tensor([0.8, 1.4, 1.0], dtype=torch.float64)))
    tensor = green_lagrange(turn @ stretch, space)
    for i, j, value in ((0, 0, -0.18), (1, 1, 0.48), (0, 1, 0.0)):
        assert torch.allclose(tensor[i, j], torch.tensor(value).double(), atol=1e-5)


def test_a_beating_heart_shortens_around_and_thickens():
    cine = beating_heart((0.0, 0.36), space=heart_space(shape=(96, 96), spacing=(1.8, 1.8)))
    found = strain(cine.transforms[1], cine.labels[0], step_voxels=0.1)
    inside = cine.labels[0].data == 2
    E = found.tensor
    area = (1 + 2 * E[0, 0]) * (1 + 2 * E[1, 1]) - 4 * E[0, 1] ** 2  # det(F^T F): muscle keeps its area
    assert torch.allclose(area[inside], torch.ones(()).double(), atol=2e-3)
    assert -0.3 < found.mean_circumferential < -0.1 < 0.2 < found.mean_radial < 0.6
    sectors = found.by_sector(found.circumferential)
    assert len(sectors) == 6
    assert sum(sectors.values()) / 6 == pytest.approx(found.mean_circumferential, abs=0.01)


def test_sectors_lie_where_their_names_say():
    cine = beating_heart((0.0, 0.36), space=heart_space(shape=(96, 96), spacing=(1.8, 1.8)))
    found, points = strain(cine.transforms[0], cine.labels[0]), cine.labels[0].space.grid()
    middle = points[cine.labels[0].data == 2].mean(dim=0)
    at = {k: points[found.sectors == k].mean(dim=0) - middle for k in range(1, 7)}  # x is right, y is anterior
    assert at[1][1] > 5
    assert at[4][1] < -5
    assert all(at[k][0] > 5 for k in (2, 3))
    assert all(at[k][0] < -5 for k in (5, 6))
    assert at[2][1] > at[3][1]
    assert at[6][1] > at[5][1]


def test_what_cannot_be_strained_is_said():
    space = turned((8, 8), (1.0, 1.0), 0)
    labels = Labels(torch.zeros(8, 8, dtype=torch.long), space)
    with pytest.raises(InputError, match="hold no 2"):
        strain(Affine.identity(2), labels)
    with pytest.raises(InputError, match="3D transform"):
        green_lagrange(Affine.identity(3), space)

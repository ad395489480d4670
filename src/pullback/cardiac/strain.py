"""strain: how much the wall of the left ventricle is stretched, in the directions of the heart.

`T` maps a point of the fixed frame (the end of diastole) to where it is in another one. Its gradient `F = dT/dx` is a
matrix at each point, and E = (F^T F - I) / 2 is the Green-Lagrange strain: what a short line of muscle along the unit
vector n becomes, (length / length at rest)^2 = 1 + 2 n^T E n. Rotation leaves no trace in it. n is radial (away from
the axis of the ventricle) or circumferential (around it); both lie in the plane of the slice. Fung, A First Course in
Continuum Mechanics, 1994, chapter 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pullback.errors import InputError
from pullback.image import Labels
from pullback.space import Space
from pullback.transforms import Transform
from pullback.typing import Float, Int, Shaped, Tensor

SECTORS = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
"""Of 60 degrees each, as the American Heart Association counts segments. Cerqueira et al., Circulation 105, 2002."""
FRONT = {2: (0.0, 1.0), 3: (0.0, 1.0, 1.0)}
"""Where the front of the heart looks in the world: towards A (and S); in 2D towards the second axis."""


@dataclass(frozen=True, eq=False)
class Strain:
    """Green-Lagrange strain on the grid of the labels; 0.1 is 10 %. Outside the wall the maps hold NaN.

    Attributes:
        tensor: (D, D, *shape) along the world axes, everywhere.
        radial: (*shape), positive where the wall thickens.
        circumferential: (*shape), negative where it shortens around the cavity.
        sectors: (*shape), 1 to 6 as in `SECTORS` in the wall, 0 elsewhere; all 0 without a right ventricle.
        space: the grid.
    """

    tensor: Float[Tensor, "_d _d *_shape"]
    radial: Float[Tensor, "*_shape"]
    circumferential: Float[Tensor, "*_shape"]
    sectors: Int[Tensor, "*_shape"]
    space: Space

    @property
    def mean_radial(self) -> float:
        """Over the wall."""
        return float(self.radial.nanmean())

    @property
    def mean_circumferential(self) -> float:
        """Over the wall."""
        return float(self.circumferential.nanmean())

    def by_sector(self, values: Float[Tensor, "*_shape"]) -> dict[str, float]:
        """The mean of `radial` or `circumferential` in each sector that has a voxel; {} without a right ventricle."""
        parts = {name: values[self.sectors == k] for k, name in enumerate(SECTORS, start=1)}
        return {name: float(part.mean()) for name, part in parts.items() if part.numel()}

    def __repr__(self) -> str:
        return f"Strain(radial {100 * self.mean_radial:.1f} %, circumferential {100 * self.mean_circumferential:.1f} %)"


def green_lagrange(transform: Transform, space: Space, step_voxels: float = 1.0) -> Float[Tensor, "d d *spatial"]:
    """E = (F^T F - I) / 2 at every voxel, F by differences of places on either side of it.

    Args:
        transform: fixed world -> world of another frame, mm.
        space: the grid; along an axis of one voxel nothing is taken to change.
        step_voxels: how far on either side. 1 suits a displacement that is known at the voxels; a formula may be asked
            nearer (0.1).

    Example:
        >>> from pullback.transforms import Affine
        >>> E = green_lagrange(Affine(torch.diag(torch.tensor([0.8, 1.0, 1.0]))), Space.of_array((4, 4)))
        >>> round(float(E[0, 0, 1, 1]), 3), round(float(E[1, 1, 1, 1]), 3)
        (-0.18, 0.0)
    """
    d = space.dimension
    if transform.dimension != d:
        raise InputError(f"a {transform.dimension}D transform has no strain on {space!r}")
    slopes = torch.zeros(d, d, *space.shape, dtype=torch.float64)  # mm for each voxel along an axis
    for axis in (axis for axis, n in enumerate(space.shape) if n > 1):
        ahead, behind = (transform.displace(_moved(space, axis, s * step_voxels)).double().cpu() for s in (1, -1))
        slopes[:, axis] = (ahead - behind) / (2 * step_voxels)
    gradient = torch.einsum("ia...,aj->ij...", slopes, space.inverse[:-1, :-1])
    return (gradient + gradient.transpose(0, 1) + torch.einsum("ki...,kj...->ij...", gradient, gradient)) / 2


def strain(
    transform: Transform,
    labels: Labels,
    *,
    wall: int = 2,
    right: int | None = 1,
    step_voxels: float = 1.0,
) -> Strain:
    """The strain of the left ventricular wall between the frame of the labels and another one.

    The axis of the ventricle goes through the middle of the wall in each slice; slices lie across the thickest voxels.

    Args:
        transform: from the frame of the labels to the other one, as `register` (that frame fixed) or `track` gives it.
        labels: of the frame at rest, the end of diastole as a rule.
        wall: the number of the left ventricular wall in them (ACDC and the phantoms 2, CMRxMotion 3).
        right: that of the right ventricular cavity, from which the sectors are counted; None for no sectors.
        step_voxels: see `green_lagrange`.

    Raises:
        InputError: there is no such label, or the dimensions differ.

    Example:
        >>> from pullback.phantom import beating_heart, heart_space
        >>> cine = beating_heart((0.0, 0.36), space=heart_space(shape=(64, 64), spacing=(3, 3)))
        >>> strain(cine.transforms[1], cine.labels[0])
        Strain(radial 31.5 %, circumferential -18.7 %)
    """
    space, data, inside = labels.space, labels.data.cpu(), wall_of(labels, wall)
    tensor = green_lagrange(transform, space, step_voxels)
    radial, around = _directions(inside, space)
    along = [
        torch.einsum("i...,ij...,j...->...", n, tensor, n).masked_fill(~inside, math.nan) for n in (radial, around)
    ]
    sectors = torch.zeros(space.shape, dtype=torch.int64)
    if right is not None and bool((data == right).any()):
        sectors = _sectors(inside, data == right, radial, space)
    return Strain(tensor, along[0], along[1], sectors, space)


def wall_of(labels: Labels, wall: int) -> Shaped[Tensor, "*spatial"]:
    """Where the left ventricular wall is.

    Raises:
        InputError: there is no such label.
    """
    inside = labels.data.cpu() == wall
    if not bool(inside.any()):
        found = ", ".join(str(v) for v in sorted(set(labels.data.flatten().tolist())))
        raise InputError(f"the labels hold no {wall}, which should be the left ventricular wall; they hold {found}")
    return inside


def _moved(space: Space, axis: int, voxels: float) -> Space:
    """The grid, moved along an axis of its own."""
    matrix = space.matrix.clone()
    matrix[:-1, -1] += voxels * matrix[:-1, axis]
    return Space(space.shape, matrix)


def _plane(space: Space) -> tuple[Tensor, int | None]:
    """Two unit vectors in the slices (2, D), and the axis across them (None in 2D)."""
    across = None if space.dimension == 2 else max(range(3), key=lambda a: (space.spacing[a], -space.shape[a]))
    first, second = (space.linear[:, axis] for axis in range(space.dimension) if axis != across)
    first = first / first.norm()
    second = second - (second @ first) * first
    return torch.stack([first, second / second.norm()]), across


def _directions(inside: Shaped[Tensor, "*spatial"], space: Space) -> tuple[Tensor, Tensor]:
    """Unit vectors (D, *shape) away from the middle of the wall in each slice, and around it."""
    plane, across = _plane(space)
    points = space.grid() @ plane.T  # mm in the slice, (*shape, 2)
    axes = tuple(axis for axis in range(space.dimension) if axis != across)
    count = inside.sum(dim=axes, keepdim=True).clamp(min=1)[..., None]
    middle = torch.where(inside[..., None], points, 0.0).sum(dim=axes, keepdim=True) / count
    away = torch.nn.functional.normalize(points - middle, dim=-1)
    around = torch.stack([-away[..., 1], away[..., 0]], dim=-1)
    return (away @ plane).movedim(-1, 0), (around @ plane).movedim(-1, 0)


def _sectors(inside: Tensor, right: Tensor, radial: Tensor, space: Space) -> Int[Tensor, "*spatial"]:
    """1 to 6, counted from the front by way of the septum, which looks at the right ventricle."""
    plane, _ = _plane(space)
    points = space.grid() @ plane.T
    septum = torch.nn.functional.normalize(points[right].mean(dim=0) - points[inside].mean(dim=0), dim=0)
    front = torch.stack([-septum[1], septum[0]])
    if float(front @ plane @ torch.tensor(FRONT[space.dimension], dtype=torch.float64)) < 0:
        front = -front
    away = torch.einsum("pi,i...->p...", plane, radial)
    turn = torch.atan2(torch.einsum("p,p...->...", septum, away), torch.einsum("p,p...->...", front, away))
    number = torch.floor((turn / (math.pi / 3) + 0.5) % 6).long()  # from the front towards the septum, 60 degrees each
    return torch.where(inside, number + 1, 0)

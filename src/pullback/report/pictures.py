"""Pictures: what there is to see on a few planes, as plain arrays.

Everything is pulled back onto the planes only, never onto the whole volume: a report on a brain costs little more than
one on a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pullback import ops
from pullback.registration import Registration
from pullback.report.planes import Plane, strips
from pullback.report.survey import Grey, Survey
from pullback.space import Space
from pullback.transforms import Affine, Transform, split

MOST_PIXELS = 640
"""Longer planes are shown at a lower resolution."""
MOST_FOR_HISTOGRAM = 120_000


@dataclass(frozen=True, eq=False)
class Pictures:
    """A registration seen on a few planes. Each property holds one array for each plane.

    Attributes:
        survey: the first look at it.
        planes: where; of the fixed world.
    """

    survey: Survey
    planes: tuple[Plane, ...]

    @classmethod
    def of(cls, survey: Survey, slices: int = 3, across: int = 1) -> tuple[Pictures, ...]:
        """Pictures on the planes that suit the fixed image, parallel planes together; see `strips`."""
        together = strips(survey.space, survey.profiles, survey.box, slices, across)
        return tuple(cls(survey, planes) for planes in together)

    @classmethod
    def joined(cls, several: Sequence[Pictures]) -> Pictures:
        """All planes of several pictures of one registration."""
        return cls(several[0].survey, tuple(plane for pictures in several for plane in pictures.planes))

    @property
    def registration(self) -> Registration:
        """What is looked at."""
        return self.survey.registration

    @cached_property
    def fixed(self) -> tuple[np.ndarray, ...]:
        """The fixed image, (rows, columns) in [0, 1]."""
        return self._read(self.survey.fixed, Affine.identity(self.survey.space.dimension))

    @cached_property
    def before(self) -> tuple[np.ndarray, ...]:
        """The moving image as the headers place it, (rows, columns) in [0, 1]; see `Survey.start`."""
        return self._read(self.survey.moving, self.survey.start)

    @cached_property
    def after(self) -> tuple[np.ndarray, ...]:
        """The moving image pulled back by the result, (rows, columns) in [0, 1]."""
        return self._read(self.survey.moving, self.registration.transform)

    @cached_property
    def reached(self) -> tuple[np.ndarray, ...]:
        """Where each pixel is pulled from, in mm to the right of and below the plane's corner, (2, rows, columns)."""
        return tuple(_reached(self.registration.transform, plane) for plane in self.planes)

    @cached_property
    def deformation_mm(self) -> tuple[np.ndarray, ...]:
        """How far each pixel is pulled by what is not linear (by everything if all is linear), (rows, columns) mm."""
        transform = self.registration.transform
        fields = [split(transform, plane.space)[1] for plane in self.planes]
        whole = [transform.displace(p.space) if f is None else f for p, f in zip(self.planes, fields, strict=True)]
        return tuple(_flat(field.norm(dim=0)) for field in whole)

    @cached_property
    def jacobian(self) -> tuple[np.ndarray, ...]:
        """Local volume change, (rows, columns); not positive where the transform folds."""
        return tuple(_jacobian(self.registration.transform, plane) for plane in self.planes)

    @cached_property
    def jacobian_sample(self) -> np.ndarray:
        """Local volume change on an even sample of the whole fixed image, for a histogram."""
        space = self.survey.space
        shrink = max(1.0, (space.count / MOST_FOR_HISTOGRAM) ** (1 / sum(n > 1 for n in space.shape)))
        coarse = space.resized([max(min(n, 4), round(n / shrink)) for n in space.shape])
        field = self.registration.transform.displace(coarse).to(torch.float32)
        values: np.ndarray = ops.jacobian(field[None], coarse.inverse[:-1, :-1])[0].flatten().cpu().numpy()
        return values

    def _read(self, grey: Grey, transform: Transform) -> tuple[np.ndarray, ...]:
        return tuple(_flat(_shrunk(grey.read(transform, plane.space), plane.space)) for plane in self.planes)


def _shrunk(data: torch.Tensor, space: Space) -> torch.Tensor:
    shape = tuple(min(n, MOST_PIXELS) for n in space.shape)
    return data if shape == space.shape else ops.resize(data[None, None], shape)[0, 0]


def _reached(transform: Transform, plane: Plane) -> np.ndarray:
    """transform(x) at every pixel, in mm along the plane's own columns (right) and rows (down)."""
    space = plane.space
    field = transform.displace(space).to(torch.float64)
    voxels = torch.einsum("ij,j...->i...", space.inverse[:-1, :-1], field)
    down, right = (torch.arange(n, dtype=torch.float64) + 0.5 for n in space.shape[-2:])
    height, width = space.spacing[-2:]
    x = (voxels[-1].reshape(space.shape[-2:]) + right) * width
    y = (voxels[-2].reshape(space.shape[-2:]) + down[:, None]) * height
    return torch.stack([x, y]).numpy()


def _jacobian(transform: Transform, plane: Plane) -> np.ndarray:
    """On a slab of three slices, so that the derivative across the plane is known too; its middle one is kept."""
    space = plane.space
    if space.dimension == 3:
        space = space.crop((-1, 0, 0), (2, *space.shape[1:]))
    field = transform.displace(space).to(torch.float32)
    determinant = ops.jacobian(field[None], space.inverse[:-1, :-1])[0]
    return _flat(determinant[1:2] if space.dimension == 3 else determinant)


def _flat(values: torch.Tensor) -> np.ndarray:
    """(rows, columns) of one slice, whatever axes of one voxel stand before."""
    array: np.ndarray = values.detach().cpu().numpy()
    return array.reshape(array.shape[-2:])

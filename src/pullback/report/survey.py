"""Survey: a first coarse look at two images, to know where there is something to see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from pullback import ops
from pullback.image import Image
from pullback.registration import Registration
from pullback.registration.percentiles import percentiles
from pullback.space import Space
from pullback.transforms import Affine, Transform, resample, split
from pullback.transforms.apply import reading
from pullback.typing import Field, Tensor

DARKEST, BRIGHTEST = 0.5, 99.7
"""Percentiles that are shown as black and white."""
COARSE = 48
"""The most voxels along an axis of the first look."""
DARK = 0.04
"""What is below this part of the grey scale counts as empty."""
MARGIN = 0.03
"""What is left of an empty margin, in parts of the longest side."""
LEAST_OVERLAP = 0.02
ALIKE = 0.3
"""The least correlation of two images of one contrast."""


@dataclass(frozen=True, eq=False)
class Grey:
    """An image as it is shown: one channel, from black to white.

    Attributes:
        image: of one channel, float32, on the CPU.
        black: the intensity that is shown as black.
        white: the intensity that is shown as white.
    """

    image: Image
    black: float
    white: float

    @classmethod
    def of(cls, image: Image) -> Grey:
        """The mean of the channels, between two percentiles."""
        data = image.data.detach().to("cpu", torch.float32)
        data = data if len(data) == 1 else data.mean(dim=0, keepdim=True)
        black, white = percentiles(data, (DARKEST, BRIGHTEST))
        if white <= black:
            black, white = float(data.min()), float(data.max())
        return cls(Image(data, image.space), black, max(white, black + 1e-12))

    def read(self, transform: Transform, onto: Space) -> Tensor:
        """The image pulled back onto a grid, in [0, 1], black outside; (*onto.shape)."""
        data = resample(self.image, transform, onto, outside=self.black).data[0]
        return ((data - self.black) / (self.white - self.black)).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Survey:
    """What is seen at a first look.

    Attributes:
        registration: what is looked at.
        fixed: the fixed image.
        moving: the moving image.
    """

    registration: Registration
    fixed: Grey
    moving: Grey

    @classmethod
    def of(cls, registration: Registration) -> Survey:
        """A survey of a registration."""
        return cls(registration, Grey.of(registration.fixed), Grey.of(registration.moving))

    @property
    def space(self) -> Space:
        """The fixed image's grid."""
        return self.registration.fixed.space

    @cached_property
    def start(self) -> Affine:
        """What "before" means: the headers alone; where they leave nothing to see, the centres brought together."""
        moving, coarse = self.registration.moving.space, self._coarse
        identity = Affine.identity(self.space.dimension)
        share = float(ops.inside(moving.shape, *reading(identity, moving, coarse), shape=coarse.shape).mean())
        return identity if share > LEAST_OVERLAP else Affine.translation(moving.centre - self.space.centre)

    @property
    def before_is(self) -> str:
        """What "before" means, in words."""
        if torch.equal(self.start.matrix, Affine.identity(self.start.dimension).matrix):
            return "as the headers place the images"
        return "with the middles of both images brought together, since their headers place them apart"

    @cached_property
    def profiles(self) -> tuple[np.ndarray, ...]:
        """The brightness of the fixed image's slices along each axis, one number for each slice."""
        found = []
        for axis, n in enumerate(self.space.shape):
            coarse = self._seen[0].mean(dim=[a for a in range(self.space.dimension) if a != axis]).numpy()
            found.append(np.interp((np.arange(n) + 0.5) / n, (np.arange(len(coarse)) + 0.5) / len(coarse), coarse))
        return tuple(found)

    @cached_property
    def box(self) -> tuple[tuple[int, int], ...]:
        """The (first, last + 1) voxels of the fixed grid along each axis between which anything is bright."""
        bright = torch.stack(self._seen).amax(dim=0).numpy() > DARK
        margin_mm = MARGIN * max(self.space.extent)
        found = []
        for axis, (n, coarse, step) in enumerate(zip(self.space.shape, bright.shape, self.space.spacing, strict=True)):
            filled = np.flatnonzero(bright.any(axis=tuple(a for a in range(bright.ndim) if a != axis)))
            first, last = (filled[0], filled[-1] + 1) if len(filled) else (0, coarse)
            margin = round(margin_mm / step)
            found.append((max(0, int(first * n / coarse) - margin), min(n, int(np.ceil(last * n / coarse)) + margin)))
        return tuple(found)

    @cached_property
    def one_contrast(self) -> bool:
        """Whether what is bright in one image is bright in the other, where anything is: only then do they cancel."""
        fixed, _, after = self._seen
        seen = (fixed > DARK) & (after > DARK)
        if int(seen.sum()) < 10:
            return True
        pair = torch.stack([fixed[seen], after[seen]])
        return not float(torch.corrcoef(pair)[0, 1]) < ALIKE  # a constant image has no correlation

    @property
    def is_linear(self) -> bool:
        """Whether the transform is one matrix: it has no deformation to show."""
        return self._deformation is None

    @cached_property
    def focus(self) -> Tensor:
        """Where tissue is bent most, world mm, (D,); the middle of the image where nothing is bent."""
        if self._deformation is None:
            return self.space.centre
        weight = self._deformation.to("cpu", torch.float64).square().sum(dim=0).square()[..., None]
        return (weight * self._coarse.grid()).flatten(0, -2).sum(dim=0) / weight.sum().clamp(min=1e-12)

    @cached_property
    def _deformation(self) -> Field | None:
        return split(self.registration.transform, self._coarse)[1]

    @cached_property
    def _coarse(self) -> Space:
        return self.space.resized([min(n, COARSE) for n in self.space.shape])

    @cached_property
    def _seen(self) -> tuple[Tensor, ...]:
        """Fixed, before and after on the coarse grid."""
        here = Affine.identity(self.space.dimension)
        return (
            self.fixed.read(here, self._coarse),
            self.moving.read(self.start, self._coarse),
            self.moving.read(self.registration.transform, self._coarse),
        )

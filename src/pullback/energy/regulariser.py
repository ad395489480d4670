"""Regularisers: how unlikely a deformation is. In physical units, so that a weight survives resampling."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from pullback.space import Space
from pullback.typing import Field, Float, Tensor


class Regulariser(ABC):
    """A penalty on a displacement field: 0 for none, larger for less smooth."""

    @abstractmethod
    def loss(self, field: Field, space: Space) -> Float[Tensor, ""]:
        """The penalty of a displacement (D, *space.shape) in mm, differentiable."""


@dataclass(frozen=True)
class Diffusion(Regulariser):
    """mean |du/dx|^2 (no unit): small where neighbours move alike. Discourages affine maps too."""

    def loss(self, field: Field, space: Space) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        return sum((s**2).sum(dim=0).mean() for s in _slopes(field, space)) + field.new_zeros(())


@dataclass(frozen=True)
class Bending(Regulariser):
    """mean |d2u/dx2|^2 (1/mm^2): small where the map is nearly affine, which it leaves free.

    Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999.
    """

    def loss(self, field: Field, space: Space) -> Float[Tensor, ""]:
        """See `Regulariser`."""
        total = field.new_zeros(())
        for slope in _slopes(field, space):
            total = total + sum((s**2).sum(dim=0).mean() for s in _slopes(slope, space))
        return total


def _slopes(field: Field, space: Space) -> list[Field]:
    """Forward differences of every component along each grid axis, per mm."""
    steps = zip(range(1, field.ndim), space.spacing, strict=True)
    return [torch.diff(field, dim=axis) / mm for axis, mm in steps if field.shape[axis] > 1]

"""Costs of a whole group: how unlike its images are, with no one of them in a special place.

All but the variance see a group through the correlations K between its images, over the voxels that count: where a
structure is the same in every image, whatever its brightness in each, few patterns explain them all, and K has few
large eigenvalues. 0 is perfect.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from pullback.errors import RecipeError
from pullback.typing import Batch, Float, Tensor

SMALLEST = 1e-8
"""Added to variances and eigenvalues, whose roots have no slope at 0."""


class GroupCost(ABC):
    """How unlike the images of a group are; a configuration, as a similarity is."""

    @abstractmethod
    def loss(self, images: Batch, weight: Batch | None = None) -> Float[Tensor, ""]:
        """The cost of a group.

        Args:
            images: (T, c, *spatial), pulled back into the common space; channels are compared one by one.
            weight: (1, 1, *spatial) in [0, 1]: how much each voxel counts.

        Returns:
            A number, 0 for images that agree, differentiable in the images.
        """


@dataclass(frozen=True)
class Variance(GroupCost):
    """The mean over voxels of the variance of brightness among the images: one contrast only.

    Metz et al., Medical Image Analysis 15(2), 2011.
    """

    def loss(self, images: Batch, weight: Batch | None = None) -> Float[Tensor, ""]:
        """See `GroupCost`."""
        spread = images.var(dim=0, keepdim=True).mean(dim=1, keepdim=True)
        return spread.mean() if weight is None else (spread * weight).sum() / weight.sum().clamp(min=1)


@dataclass(frozen=True)
class Pairwise(GroupCost):
    """1 - the mean correlation of all pairs of images: one contrast, whatever its scale in each.

    The sum over pairs of squared differences is the variance, but for a factor.
    """

    def loss(self, images: Batch, weight: Batch | None = None) -> Float[Tensor, ""]:
        """See `GroupCost`."""
        k, t = _correlations(images, weight), len(images)
        loss: Tensor = ((t * t - k.sum(dim=(1, 2))) / (t * (t - 1))).mean().to(images.dtype)
        return loss


@dataclass(frozen=True)
class PCA2(GroupCost):
    """(sum of i lambda_i - T) / (T (T - 1) / 2), lambda_1 >= lambda_2 >= ... the eigenvalues of the correlations.

    Huizinga et al., Medical Image Analysis 29, 2016. 0 where one pattern explains all T images, 1 where they have
    nothing in common: for images whose contrast changes, as in mapping.
    """

    def loss(self, images: Batch, weight: Batch | None = None) -> Float[Tensor, ""]:
        """See `GroupCost`."""
        values, t = torch.linalg.eigvalsh(_correlations(images, weight)), len(images)  # rising
        rank = torch.arange(t, 0, -1, device=values.device, dtype=values.dtype)
        loss: Tensor = (((values * rank).sum(dim=1) - t) / (t * (t - 1) / 2)).mean().to(images.dtype)
        return loss


@dataclass(frozen=True)
class Nuclear(GroupCost):
    """The sum of the singular values of the images as columns, as a share of its range: 0 for rank one.

    As in pTVreg (Vishnevskiy et al., IEEE Transactions on Medical Imaging 36(2), 2017). The rank may also be looked
    at piece by piece: contrast then need not change alike all over the field of view.

    Attributes:
        patch_voxels: side of the pieces, in voxels of the level; None looks at the images as wholes.
    """

    patch_voxels: int | None = None

    def loss(self, images: Batch, weight: Batch | None = None) -> Float[Tensor, ""]:
        """See `GroupCost`."""
        columns, counted = _columns(images, weight)
        if self.patch_voxels is None:
            grams = _gram(columns.flatten(2).unsqueeze(2), counted.flatten(2).unsqueeze(2))[:, 0]
        else:
            pieces = _pieces(columns, self.patch_voxels), _pieces(counted, self.patch_voxels)
            grams = _gram(*pieces).flatten(0, 1)
        values = torch.linalg.eigvalsh(grams.double()).clamp(min=0) + SMALLEST * len(images)
        least = values.sum(dim=-1).sqrt()  # what the sum of roots would be, were there only one
        share = values.sqrt().sum() / least.sum() - 1
        loss: Tensor = (share / (math.sqrt(len(images)) - 1)).to(images.dtype)
        return loss


COSTS: dict[str, GroupCost] = {
    "pairwise": Pairwise(),
    "variance": Variance(),
    "pca2": PCA2(),
    "nuclear": Nuclear(),
    "local-nuclear": Nuclear(patch_voxels=8),
}


def group_cost(cost: str | GroupCost) -> GroupCost:
    """A cost by its name, or as it is.

    Raises:
        RecipeError: there is no such cost.

    Example:
        >>> group_cost("pca2")
        PCA2()
    """
    if isinstance(cost, GroupCost):
        return cost
    if cost not in COSTS:
        raise RecipeError(f"there is no group cost {cost!r}; choose one of {', '.join(COSTS)}")
    return COSTS[cost]


def _columns(images: Batch, weight: Batch | None) -> tuple[Tensor, Tensor]:
    """(c, T, *spatial) of mean 0 and sum of squares 1 over what counts, and the weight, (1, 1, *spatial)."""
    weight = torch.ones_like(images[:1, :1]) if weight is None else weight
    axes = tuple(range(2, images.ndim))
    total = weight.sum().clamp(min=1)
    centred = images - (images * weight).sum(dim=axes, keepdim=True) / total
    size = ((centred**2 * weight).sum(dim=axes, keepdim=True) + SMALLEST * total).sqrt()
    return (centred / size).transpose(0, 1), weight


def _correlations(images: Batch, weight: Batch | None) -> Float[Tensor, "c t t"]:
    columns, weight = _columns(images, weight)
    flat = columns.flatten(2)
    return ((flat * weight.flatten(2)) @ flat.transpose(1, 2)).double()


def _pieces(images: Float[Tensor, "c t *spatial"], side: int) -> Float[Tensor, "c t p n"]:
    """Cut into blocks of `side` voxels along each axis; what does not fill a block at the end is left out."""
    for axis in range(2, 2 + images.ndim - 2):
        n = images.shape[axis]
        step = min(side, n)
        images = images.narrow(axis, 0, n // step * step)
    sides = [min(side, n) for n in images.shape[2:]]
    shape = [part for n, s in zip(images.shape[2:], sides, strict=True) for part in (n // s, s)]
    split = images.reshape(*images.shape[:2], *shape)
    d = len(sides)
    order = [0, 1, *(2 + 2 * a for a in range(d)), *(3 + 2 * a for a in range(d))]
    count = math.prod(shape[0::2])
    return split.permute(order).reshape(*images.shape[:2], count, -1)


def _gram(columns: Float[Tensor, "c t p n"], weight: Float[Tensor, "1 1 p n"]) -> Float[Tensor, "c p t t"]:
    """Of each piece, its own mean taken off."""
    total = weight.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    centred = (columns - (columns * weight).sum(dim=-1, keepdim=True) / total).transpose(1, 2)
    return (centred * weight.transpose(1, 2)) @ centred.transpose(2, 3)

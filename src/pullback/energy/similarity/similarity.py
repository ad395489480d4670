"""Similarity: how unlike a warped image is to the fixed one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pullback.space import Space
from pullback.typing import Batch, Float, Tensor


class Similarity(ABC):
    """A measure of how unlike two images are: 0 is perfect, lower is better.

    Images come scaled to about [0, 1] (see `pullback.registration.Prepare`).
    """

    @abstractmethod
    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, "b"]:
        """The loss of each pair of the batch.

        Args:
            fixed: (b, c, *spatial).
            warped: (b, c, *spatial).
            weight: (b, 1, *spatial) in [0, 1]: how much each voxel counts; all alike by default.

        Returns:
            (b,), differentiable in `warped`.
        """

    def on(self, space: Space) -> Similarity:
        """The same measure for images on this grid; measures with a neighbourhood fit it to the voxels' sizes."""
        del space
        return self


def total_weight(weight: Batch) -> Float[Tensor, "b"]:
    """The sum of the weights of each image, never quite zero."""
    return weight.flatten(1).sum(dim=1).clamp(min=1e-6)


def weighted_mean(values: Batch, weight: Batch | None) -> Float[Tensor, "b"]:
    """Mean over channels and voxels of each image."""
    if weight is None:
        return values.flatten(1).mean(dim=1)
    return (values * weight).flatten(1).sum(dim=1) / (total_weight(weight) * values.shape[1])

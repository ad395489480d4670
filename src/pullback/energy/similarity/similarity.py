"""Similarity: how unlike a warped image is to the fixed one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from pullback import ops
from pullback.space import Space
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Float, Tensor


class Similarity(ABC):
    """A measure of how unlike two images are: 0 is perfect, lower is better.

    Images come scaled to about [0, 1] (see `pullback.registration.Prepare`).

    Attributes:
        unrelated: the loss of two images that have nothing to do with each other; what lies above is opposed contrast.
            Infinite for measures without such a number.
        of_labels: whether it compares label maps (one channel for each label) and not brightness.
        has_features: whether it compares `features` of each image.
    """

    unrelated: ClassVar[float] = math.inf
    of_labels: ClassVar[bool] = False
    has_features: ClassVar[bool] = False

    @abstractmethod
    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """The loss of each pair of the batch.

        Args:
            fixed: (b, c, *spatial).
            warped: (b, c, *spatial).
            weight: (b, 1, *spatial) in [0, 1]: how much each voxel counts; all alike by default.

        Returns:
            (b,), the mean over the channels, differentiable in `warped`.
        """

    def loss_read(
        self, fixed: Batch, moving: Batch, where: Reading, weight: Batch | None = None
    ) -> Float[Tensor, " b"]:
        """The loss of a moving image that is read somewhere; measures that need no warped image for that make none.

        Args:
            fixed: (b, c, *shape).
            moving: (b, c, *spatial).
            where: it is read.
            weight: as in `loss`.

        Returns:
            (b,), differentiable in where it is read.
        """
        return self.loss(fixed, ops.sample(moving, *where, shape=tuple(fixed.shape[2:])), weight)

    def loss_inside(
        self, fixed: Batch, moving: Batch, where: Reading, weight: Batch | None = None
    ) -> Float[Tensor, " b"] | None:
        """The loss of what is read from inside the moving image, for measures that find out by themselves what that is.

        Returns:
            (b,), differentiable in a matrix and its mix, on the CPU; None where a measure has no quicker way than
            `loss_read` with a weight that is 0 outside.
        """
        del fixed, moving, where, weight
        return None

    def arranged(self, image: Batch) -> Batch:
        """The same image as `loss_read` reads it fastest, for images that will be read again and again."""
        return image

    def on(self, space: Space) -> Similarity:
        """The same measure for images on this grid; measures with a neighbourhood fit it to the voxels' sizes."""
        del space
        return self

    def features(self, image: Batch) -> Batch | None:
        """What can be made of each image alone, once, and be warped in its place; None where brightness is compared.

        Args:
            image: (b, c, *spatial).

        Returns:
            (b, c times a set number, *spatial).
        """
        del image
        return None

    def of_features(self) -> Similarity:
        """The measure that compares such features; itself where there are none."""
        return self

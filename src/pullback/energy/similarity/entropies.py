"""Entropies of two images and of both together, from their joint histogram."""

from __future__ import annotations

from typing import NamedTuple

import torch

from pullback import ops
from pullback.typing import Batch, Float, Tensor


class Entropies(NamedTuple):
    """In nats, (b, channels).

    Attributes:
        fixed: of the fixed image.
        warped: of the warped image.
        joint: of the pairs of values.
    """

    fixed: Tensor
    warped: Tensor
    joint: Tensor

    @property
    def information(self) -> Tensor:
        """What the one image tells of the other."""
        return self.fixed + self.warped - self.joint


def entropies(fixed: Batch, warped: Batch, bins: int, weight: Batch | None) -> Entropies:
    """Of each channel by itself, by Mattes' histogram; see `ops.joint_histogram`.

    On the CPU wherever the images are: a GPU starts dozens of kernels for these few numbers in longer than they take.
    """
    rows = []
    for c in range(fixed.shape[1]):
        joint = ops.joint_histogram(fixed[:, c : c + 1], warped[:, c : c + 1], bins, weight).cpu()
        rows.append((_entropy(joint.sum(dim=2)), _entropy(joint.sum(dim=1)), _entropy(joint.flatten(1))))
    return Entropies(*(torch.stack(column, dim=1) for column in zip(*rows, strict=True)))


def _entropy(p: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    return -(p * torch.log(p.clamp(min=1e-12))).sum(dim=1)

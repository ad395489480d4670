"""Entropies of two images and of both together, from their joint histogram."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable

from pullback import ops
from pullback.transforms.apply import Reading
from pullback.typing import Batch, Tensor

LEAST = 1e-12
"""The least probability whose logarithm is taken."""


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
    channels = range(fixed.shape[1])
    return _of([ops.joint_histogram(fixed[:, c : c + 1], warped[:, c : c + 1], bins, weight).cpu() for c in channels])


def entropies_read(fixed: Batch, moving: Batch, where: Reading, bins: int, weight: Batch | None) -> Entropies | None:
    """Of what is read from inside the moving image; None where it is quicker to read it first."""
    if moving.device.type != "cuda" or len(fixed) != 1 or len(moving) != 1:
        return None
    channels = range(fixed.shape[1])
    return _of(
        [ops.sampled_histogram(fixed[:, c : c + 1], moving[:, c : c + 1], bins, *where, weight) for c in channels]
    )


def _of(joints: list[Tensor]) -> Entropies:
    rows = [_Entropies.apply(joint) for joint in joints]  # type: ignore[no-untyped-call]
    return Entropies(*(torch.stack(column, dim=1) for column in zip(*rows, strict=True)))


class _Entropies(torch.autograd.Function):
    """Of rows, columns and all of a table of probabilities; the gradient by hand, in a handful of steps."""

    @staticmethod
    def forward(ctx: Any, joint: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = joint.sum(dim=2), joint.sum(dim=1), joint.flatten(1)
        logs = tuple(torch.log(p.clamp(min=LEAST)) for p in parts)
        ctx.save_for_backward(*(-log - (p >= LEAST).to(log) for p, log in zip(parts, logs, strict=True)))
        fixed, warped, both = (-(p * log).sum(dim=1) for p, log in zip(parts, logs, strict=True))
        return fixed, warped, both

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, fixed: Tensor, warped: Tensor, both: Tensor) -> Tensor:
        rows, columns, all_ = (
            upstream[:, None] * slope for upstream, slope in zip((fixed, warped, both), ctx.saved_tensors, strict=True)
        )
        joint: Tensor = rows[:, :, None] + columns[:, None, :] + all_.view(len(rows), rows.shape[1], -1)
        return joint

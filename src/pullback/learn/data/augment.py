"""Augmentation: pairs as other scanners, other poses or other contrasts would show them.

Every random number follows from the seed of its pair, so that a training that is resumed sees the same again. What
moves moves both images and their labels alike; what changes brightness changes each image by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pullback import ops
from pullback.errors import RecipeError
from pullback.learn.data.pairs import PairBatch
from pullback.typing import Batch, Tensor


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a pair before a network sees it; 0 leaves it out.

    Attributes:
        flip: share of the pairs that are mirrored, for each axis by itself (in 3D not along the slices).
        rotate_degrees: the farthest turn within the slices.
        scale: the largest change of size, as a part of it: 0.1 goes from 0.9 to 1.1 or so.
        gamma: the largest change of contrast: values become their power of exp(-gamma) to exp(gamma).
        noise: the largest standard deviation of Gaussian noise, of intensities from 0 to 1.
        synthesise: share of the pairs whose images are drawn anew from their labels, each label with a random
            brightness in each image, so that the network learns shapes and no contrast (after Hoffmann et al.,
            "SynthMorph", IEEE Transactions on Medical Imaging 41(3), 2022). Needs labels.
    """

    flip: float = 0.0
    rotate_degrees: float = 0.0
    scale: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    synthesise: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("flip", 1), ("rotate_degrees", 180), ("scale", 0.5), ("gamma", 3), ("noise", 1),
                           ("synthesise", 1)):  # fmt: skip
            if not 0 <= getattr(self, name) <= most:
                raise RecipeError(f"{name} of an augmentation goes from 0 to {most}; got {getattr(self, name)}")

    def apply(self, batch: PairBatch, seeds: Sequence[int], spacing_mm: Sequence[float]) -> PairBatch:
        """The pairs, changed; a known displacement is dropped.

        Args:
            batch: the pairs.
            seeds: one for each of them.
            spacing_mm: of their grid, so that a turn is one in mm.

        Raises:
            RecipeError: images are to be drawn from labels, and there are none.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        fixed, moving, labels = batch.fixed, batch.moving, (batch.fixed_labels, batch.moving_labels)
        if self.flip or self.rotate_degrees or self.scale:
            matrix = torch.stack([self._matrix(g, batch.fixed.shape[2:], spacing_mm) for g in generators])
            fixed, moving = (_turned(image, matrix) for image in (fixed, moving))
            labels = tuple(None if each is None else _turned_labels(each, matrix) for each in labels)  # type: ignore[assignment]
        if self.synthesise:
            if labels[0] is None or labels[1] is None:
                raise RecipeError("synthesise draws images from labels, and these pairs have none; set it to 0")
            fixed, moving = fixed.clone(), moving.clone()
            for k, generator in enumerate(generators):
                if _between(generator, 0, 1) < self.synthesise:
                    fixed[k], moving[k] = (
                        _drawn(labels[0][k], fixed[k], generator),
                        _drawn(labels[1][k], moving[k], generator),
                    )
        fixed, moving = (self._looks(image, generators) for image in (fixed, moving))
        return PairBatch(fixed, moving, labels[0], labels[1])

    def _matrix(self, generator: torch.Generator, shape: Sequence[int], spacing_mm: Sequence[float]) -> Tensor:
        """(D, D+1): voxels of the new images -> voxels of the old ones, about the middle."""
        d = len(shape)
        angle = math.radians(self.rotate_degrees) * _between(generator, -1, 1)
        linear = torch.eye(d, dtype=torch.float64) * math.exp(self.scale * _between(generator, -1, 1))
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear[-2:, -2:] = linear[-2:, -2:] @ turn.to(linear)
        for axis in range(d - 2, d):
            if _between(generator, 0, 1) < self.flip:
                linear[:, axis] *= -1
        steps = torch.diag(torch.tensor(spacing_mm, dtype=torch.float64))
        linear = torch.linalg.inv(steps) @ linear @ steps
        middle = torch.tensor([(n - 1) / 2 for n in shape], dtype=torch.float64)
        return torch.cat([linear, (middle - linear @ middle)[:, None]], dim=1)

    def _looks(self, images: Batch, generators: Sequence[torch.Generator]) -> Batch:
        """Each image with another contrast and noise."""
        if not self.gamma and not self.noise:
            return images
        changed = []
        for image, generator in zip(images, generators, strict=True):
            power = math.exp(self.gamma * _between(generator, -1, 1))
            noise = torch.randn(image.shape, generator=generator) * (self.noise * _between(generator, 0, 1))
            changed.append((image.clamp(min=0) ** power + noise).clamp(0, 1))
        return torch.stack(changed)


def _between(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _turned(images: Batch, matrix: Tensor) -> Batch:
    return ops.sample(images, matrix, shape=tuple(images.shape[2:]), outside=0.0)


def _turned_labels(labels: Tensor, matrix: Tensor) -> Tensor:
    values = ops.sample(labels[:, None].to(torch.float32), matrix, shape=tuple(labels.shape[1:]),
                        interpolation="nearest", outside=0.0)  # fmt: skip
    return values[:, 0].round().to(labels.dtype)


def _drawn(labels: Tensor, like: Tensor, generator: torch.Generator) -> Tensor:
    """An image in which each label has a random brightness, blurred a little."""
    levels = torch.rand(int(labels.max()) + 1, generator=generator)
    image = levels[labels.long()][None, None]
    sigma = _between(generator, 0.3, 1.2)
    return ops.smooth(image, [sigma] * labels.ndim)[0].expand_as(like)

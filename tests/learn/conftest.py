"""Small data to learn from: blobs that differ by a shift, on a grid of unequal spacing."""

from collections.abc import Callable

import pytest
import torch

from pullback.learn import Dataset, Loss, Network, Pairs, Training, TrainingRecipe


@pytest.fixture(scope="session")
def blobs() -> Callable[..., Pairs]:
    """Some Gaussian blobs at random places, with a label where they are bright: blobs(count=6, seed=0)."""

    def make(count: int = 6, seed: int = 0, dimension: int = 2, size: int = 16, channels: int = 1) -> Pairs:
        generator = torch.Generator().manual_seed(seed)
        axes = torch.stack(torch.meshgrid(*[torch.arange(float(size))] * dimension, indexing="ij"))
        middles = size / 2 + 3 * (torch.rand(count, dimension, generator=generator) - 0.5)
        gaps = axes[None] - middles.view(count, dimension, *[1] * dimension)
        images = torch.exp(-(gaps**2).sum(dim=1, keepdim=True) / 12).expand(-1, channels, *[-1] * dimension)
        return Pairs(images.contiguous(), (1.5, *[1.0] * (dimension - 1)), (images[:, 0] > 0.5).long())

    return make


@pytest.fixture
def data(blobs: Callable[..., Pairs]) -> Dataset:
    return Dataset("blobs", blobs(8, 0), blobs(4, 1), blobs(4, 2), "none")


@pytest.fixture
def recipe() -> TrainingRecipe:
    """A tiny network and a few steps."""
    return TrainingRecipe(
        "tiny",
        "for tests",
        Network(encoder=(4, 4), decoder=(4, 4, 4), flow_scale=10.0),
        Loss(),
        Training(epochs=6, steps=4, batch=2, learning_rate=3e-3, validate_every=2, validation_pairs=4, pictures=1),
    )

"""Geometry that the tests of several formats draw."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def random_affine() -> Callable[..., np.ndarray]:
    """Any rotation, voxel size and origin, and shear if wanted: random_affine(generator, shear)."""

    def make(rng: np.random.Generator, shear: bool = False) -> np.ndarray:
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        linear = rotation * rng.uniform(0.5, 4, 3)
        if shear:
            linear = linear @ (np.eye(3) + np.triu(rng.uniform(-0.3, 0.3, (3, 3)), 1))
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = linear, rng.uniform(-100, 100, 3)
        return affine

    return make

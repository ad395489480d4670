"""The oracles of the io tests: SimpleITK and nibabel."""

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback.image import Image
from pullback.space import Space

sitk.ProcessObject.SetGlobalWarningDisplay(False)

ORIENTATIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]


def signed_permutation(order: tuple[int, ...], signs: tuple[int, ...]) -> np.ndarray:
    matrix = np.zeros((len(order), len(order)))
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[world, axis] = sign
    return matrix


@pytest.fixture(
    params=ORIENTATIONS, ids=lambda o: "".join(("RAS" if s > 0 else "LPI")[w] for w, s in zip(*o, strict=True))
)
def direction(request: pytest.FixtureRequest) -> np.ndarray:
    """One of the 48 axis-aligned direction matrices, LPS or RAS as you like."""
    return signed_permutation(*request.param)


@pytest.fixture
def itk_image() -> Callable[..., sitk.Image]:
    """A SimpleITK image of distinct numbers: itk_image(dimension, direction=..., type=..., channels=1)."""

    def make(
        dimension: int = 3, direction: np.ndarray | None = None, kind: type = np.float32, channels: int = 1
    ) -> sitk.Image:
        shape = (4, 5, 6)[3 - dimension :] if dimension < 4 else (2, 4, 5, 6)
        shape += (channels,) if channels > 1 else ()
        numbers = np.random.default_rng(3).integers(0, 100, shape).astype(kind)
        image = sitk.GetImageFromArray(numbers, isVector=channels > 1)
        image.SetSpacing((1.25, 0.5, 3.0, 1.0)[:dimension])
        image.SetOrigin((-17.5, 31.25, 55.0, 0.0)[:dimension])
        if direction is not None:
            image.SetDirection(np.asarray(direction, dtype=float).ravel())
        return image

    return make


@pytest.fixture
def oblique() -> Callable[[int], np.ndarray]:
    """A rotation about no axis of the world: oblique(3)."""
    skew = {2: [[0.0, -0.4], [0.4, 0.0]], 3: [[0.0, -0.5, 0.3], [0.5, 0.0, -0.2], [-0.3, 0.2, 0.0]]}
    return lambda d: torch.linalg.matrix_exp(torch.tensor(skew[d], dtype=torch.float64)).numpy()


@pytest.fixture
def assert_same_as_itk() -> Callable[..., None]:
    """The same numbers at the same places in the patient: assert_same_as_itk(image, itk, tolerance_mm=1e-3)."""

    def check(image: Image, itk: sitk.Image, tolerance_mm: float = 1e-3) -> None:
        d = itk.GetDimension()
        numbers = sitk.GetArrayFromImage(itk)
        numbers = np.moveaxis(numbers, -1, 0) if itk.GetNumberOfComponentsPerPixel() > 1 else numbers[None]
        assert image.dimension == d
        np.testing.assert_array_equal(image.data.numpy(), numbers.astype(np.float32))
        np.testing.assert_allclose(corners(image.space), itk_corners(itk), atol=tolerance_mm)

    return check


def corners(space: Space) -> np.ndarray:
    voxels = list(product(*[(0.0, n - 1.0) for n in space.shape]))
    return space.to_world(torch.tensor(voxels, dtype=torch.float64)).numpy()


def itk_corners(itk: sitk.Image) -> np.ndarray:
    d = itk.GetDimension()
    voxels = product(*[(0.0, n - 1.0) for n in reversed(itk.GetSize())])
    lps = np.array([itk.TransformContinuousIndexToPhysicalPoint(tuple(reversed(v))) for v in voxels])
    return lps * np.array([-1.0, -1.0, 1.0])[:d]


@pytest.fixture
def path(tmp_path: Path) -> Callable[[str], Path]:
    """A path in a fresh folder: path("a.nii.gz")."""
    return lambda name: tmp_path / name

"""Registrations made by hand: a few ellipses, a transform that is known, and an account of steps that nobody took."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from pullback.image import Image
from pullback.optimise import Status
from pullback.registration import Outcome, Registration
from pullback.registration.outcome import LevelHistory
from pullback.registration.recipes import deformable
from pullback.registration.registration import Quality
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform, resample

QUALITY = Quality(
    loss_before=0.5,
    loss_after=0.2,
    overlap=0.98,
    jacobian_min=0.7,
    jacobian_max=1.4,
    fold_percent=0.0,
    displacement_mm=6.0,
)


def placed(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Space:
    """A grid that lies as ITK lays arrays, but away from the world's origin: it has an orientation."""
    space = Space.of_array(shape, spacing)
    matrix = space.matrix.clone()
    matrix[:-1, -1] = torch.tensor([41.0, -23.0, 77.0][: len(shape)], dtype=torch.float64)
    return Space(shape, matrix)


SPACES = {"2D": placed((64, 80), (1.5, 1.5)), "stack": placed((9, 48, 56), (8.0, 1.5, 1.5)),
          "volume": placed((44, 40, 36), (2.0, 2.0, 2.0))}  # fmt: skip


@pytest.fixture(scope="session", params=list(SPACES))
def space(request: pytest.FixtureRequest) -> Space:
    return SPACES[request.param]


@pytest.fixture(scope="session")
def heart() -> Callable[[Space], Image]:
    """Two ellipses in an empty field of view, one of them off the middle, so that no two sides look alike."""

    def make(space: Space) -> Image:
        across = (space.grid() - space.centre) / torch.tensor(space.extent[::-1], dtype=torch.float64)
        large = 1.0 * (across.square().sum(dim=-1) < 0.3**2)
        aside = torch.tensor([0.12, 0.05, 0.08][: space.dimension], dtype=torch.float64)
        small = 1.0 * ((across - aside).square().sum(dim=-1) < 0.12**2)
        return Image((100 + 400 * large + 300 * small)[None].float(), space)

    return make


@pytest.fixture(scope="session")
def bump() -> Callable[..., Displacement]:
    """A smooth displacement around one point, along x: bump(space, height_mm=4)."""

    def make(space: Space, height_mm: float = 4.0) -> Displacement:
        part = 0.2 * torch.tensor(space.extent[::-1], dtype=torch.float64)
        far = (space.grid() - focus(space)) / part
        field = torch.zeros(space.dimension, *space.shape)
        field[0] = height_mm * torch.exp(-far.square().sum(dim=-1)).float()
        return Displacement(field, space)

    return make


def focus(space: Space) -> torch.Tensor:
    """Where the bump is, world mm."""
    return space.to_world(torch.tensor([0.4 * n for n in space.shape], dtype=torch.float64))


@pytest.fixture(scope="session")
def result(heart, bump) -> Callable[..., Registration]:
    """A registration that came to this transform: result(space, transform=..., quality=..., status=..., ...)."""

    def make(space: Space, transform: Transform | None = None, **changes: Any) -> Registration:
        d = space.dimension
        transform = Affine.translation([2.0, -1.0, 0.5][:d]) @ bump(space) if transform is None else transform
        fixed = heart(space)
        moving = resample(fixed, transform.inverse(), space, outside=100.0)
        made = Registration(
            fixed=fixed,
            moving=moving,
            transform=transform,
            status=Status.converged,
            outcomes=outcomes(transform, space),
            quality=QUALITY,
            recipe=deformable(),
            provenance={"fixed": "/data/Miller_Anna/ed.nii.gz", "moving": "/data/Miller_Anna/es.nii.gz", "seed": 0},
        )
        return replace(made, **changes)

    return make


def outcomes(transform: Transform, space: Space) -> tuple[Outcome, ...]:
    levels = (
        LevelHistory(tuple(4 * s for s in space.spacing), (0.5, 0.4, 0.35, 0.34)),
        LevelHistory(space.spacing, (0.42, 0.3, 0.22)),
    )
    kernels = {"sample": "reference", "lncc": "cpu", "smooth": "reference"}
    return (
        Outcome("align centres", transform, Status.converged, notes=("started from: header",)),
        Outcome("rigid", transform, Status.converged, levels, 0.25, kernels),
        Outcome("affine", transform, Status.max_steps, levels, 0.5, kernels),
        Outcome("deformable", transform, Status.converged, levels, 1.25, kernels),
        Outcome("spline finish", transform, Status.converged, notes=("many voxels: left as it was",)),
    )

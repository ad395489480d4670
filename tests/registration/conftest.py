"""A painted world: a texture that is a formula of world mm, so that every pair comes with its exact answer."""

from collections.abc import Callable, Sequence

import pytest
import torch

from pullback.energy import NCC, Energy, Similarity
from pullback.image import Image
from pullback.optimise import LBFGS, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.registration import AlignCentres, Optimise, Recipe
from pullback.space import Space
from pullback.transforms import Transform


@pytest.fixture(scope="session")
def paint() -> Callable[..., Image]:
    """What is seen on a grid through a transform: the image whose value at x is texture(transform(x)).

    With `moving = paint(space)` and `fixed = paint(space, transform)` the answer of a registration is the transform.
    The texture is soft blobs, large and small, about the world's origin in a soft ball, `size` mm across.
    """

    def make(space: Space, transform: Transform | None = None, seed: int = 0, size: float = 60.0) -> Image:
        d = space.dimension
        generator = torch.Generator().manual_seed(seed)
        draw = torch.rand(400, d + 2, generator=generator, dtype=torch.float64)
        large = torch.arange(400) < 100
        middles, heights = size * (draw[:, :d] - 0.5), draw[:, d]
        widths = size * torch.where(large, 0.05, 0.02) * (1 + draw[:, d + 1])
        points = space.grid() if transform is None else transform(space.grid())
        value = torch.exp(-((points.norm(dim=-1) / (0.5 * size)) ** 4))
        for middle, height, width in zip(middles, heights, widths, strict=True):
            value = value + height * torch.exp(-0.5 * ((points - middle) / width).square().sum(dim=-1))
        return Image(value[None].to(torch.float32), space)

    return make


@pytest.fixture(scope="session")
def grid() -> Callable[..., Space]:
    """A grid about the world's origin, 72 mm across: grid(dimension, spacing=..., turn=a rotation of its axes)."""

    def make(
        dimension: int,
        spacing: Sequence[float] | float | None = None,
        turn: torch.Tensor | None = None,
        mm: float = 72.0,
    ) -> Space:
        spacing = {2: 1.2, 3: 2.6}[dimension] if spacing is None else spacing
        steps = [float(spacing)] * dimension if isinstance(spacing, int | float) else list(spacing)
        shape = tuple(max(1, round(mm / step)) for step in steps)
        space = Space.of_array(shape, steps)
        matrix = space.matrix.clone()
        if turn is not None:
            matrix[:-1, :-1] = turn.to(torch.float64) @ matrix[:-1, :-1]
        middle = torch.tensor([(n - 1) / 2 for n in shape], dtype=torch.float64)
        matrix[:-1, -1] = -matrix[:-1, :-1] @ middle
        return Space(shape, matrix)

    return make


@pytest.fixture(scope="session")
def linear() -> Callable[..., Recipe]:
    """A quick linear recipe, from the headers on."""

    def make(
        freedom: str = "rigid",
        similarity: Similarity | None = None,
        shrinks: Sequence[float] = (4, 2, 1),
        centres: bool = False,
    ) -> Recipe:
        schedule = Schedule(tuple(Level(s, 40) for s in shrinks), tolerance=1e-6)
        stage = Optimise(Linear(freedom), Energy(similarity or NCC()), LBFGS(), schedule)  # type: ignore[arg-type]
        return Recipe(f"quick {freedom}", "for tests", (AlignCentres(), stage) if centres else (stage,))

    return make


@pytest.fixture(scope="session")
def dense() -> Callable[..., Recipe]:
    """A quick deformable recipe, from the headers on."""

    def make(similarity: Similarity | None = None, shrinks: Sequence[float] = (2, 1), steps: int = 40) -> Recipe:
        schedule = Schedule(tuple(Level(s, steps) for s in shrinks))
        stage = Optimise(Greedy(1.7, 0.5), Energy(similarity or NCC()), GradientDescent(step_voxels=0.5), schedule)
        return Recipe("quick deformable", "for tests", (stage,))

    return make


@pytest.fixture(scope="session")
def corner_error() -> Callable[[Transform, Transform, Space], float]:
    """The largest distance in mm, over the corners of a grid, between where two transforms put them."""

    def measure(one: Transform, other: Transform, space: Space) -> float:
        ends = torch.tensor([[0.0] * space.dimension, [n - 1.0 for n in space.shape]], dtype=torch.float64)
        corners = space.to_world(torch.cartesian_prod(*ends.T))
        return float((one(corners) - other(corners)).norm(dim=-1).max())

    return measure

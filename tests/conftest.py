"""What every test shares: shapes checked at run time, one thread for torch, steady property tests, test spaces."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
import torch

SRC = Path(__file__).parents[1] / "src" / "pullback"
OPS = sorted(f"ops.{path.stem}" for path in (SRC / "ops").iterdir() if path.stem != "_triton")  # Triton compiles those
WITH_TENSORS = (*OPS, "space", "image", "transforms", "energy", "optimise", "evaluate", "phantom")
UNCHECKED = {"registration", "end_to_end", "real_data", "learn"}  # folders of tests
jaxtyping.install_import_hook(
    [f"pullback.{name}" for name in WITH_TENSORS],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))",  # a whole number is a float, too
)

from pullback.space import Space  # noqa: E402 - only what is imported after the hook is checked

torch.set_num_threads(1)  # the tests run in several processes

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """The shape checks look at one item of a sequence by chance, which hypothesis would warn about."""
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")


SHAPES = {2: (22, 31), 3: (12, 17, 23)}
TURNS = {  # skew matrices; their exponentials are rotations about no axis of the world
    2: [[0.0, -0.4], [0.4, 0.0]],
    3: [[0.0, -0.5, 0.3], [0.5, 0.0, -0.2], [-0.3, 0.2, 0.0]],
}
STEPS = {2: [1.5, 0.8], 3: [3.0, -1.25, 0.8]}  # one axis stored the other way round
ORIGINS = {2: [-17.0, 31.0], 3: [-17.0, 31.0, 55.0]}


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real scans, for the tests that need them: PULLBACK_TEST_DATA, or ../shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PULLBACK_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"there is no test data at {folder}; set PULLBACK_TEST_DATA to the folder that holds it")
    return folder


@contextmanager
def shapes_unchecked() -> Iterator[None]:
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Hostile input must be refused by pullback itself, not by the shape checks that only the tests switch on."""
    with shapes_unchecked():
        yield


@pytest.fixture(autouse=True)
def _unchecked_where_loops_are_long(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whole registrations run as they do for a user: checked, they take half as long again."""
    with shapes_unchecked() if UNCHECKED & set(request.path.parts) else nullcontext():
        yield


@pytest.fixture(params=[2, 3], ids=["2D", "3D"])
def dimension(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def oblique_space() -> Callable[..., Space]:
    """A grid of unequal spacing, turned against the world and away from its origin: oblique_space(3, shape=None)."""

    def make(dimension: int, shape: tuple[int, ...] | None = None, scale: float = 1.0) -> Space:
        matrix = torch.eye(dimension + 1, dtype=torch.float64)
        turn = torch.linalg.matrix_exp(torch.tensor(TURNS[dimension], dtype=torch.float64))
        matrix[:-1, :-1] = scale * turn @ torch.diag(torch.tensor(STEPS[dimension], dtype=torch.float64))
        matrix[:-1, -1] = scale * torch.tensor(ORIGINS[dimension], dtype=torch.float64)
        return Space(shape or SHAPES[dimension], matrix)

    return make


@pytest.fixture
def smooth_field() -> Callable[..., torch.Tensor]:
    """A random smooth field (D, *shape) in mm that does not fold: smooth_field(space, largest_mm=2, seed=0)."""

    def make(space: Space, largest_mm: float = 2.0, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        generator, d = torch.Generator().manual_seed(seed), space.dimension
        waves = torch.randn(4, d, generator=generator, dtype=torch.float64)
        waves = waves / waves.norm(dim=1, keepdim=True) * (2 * torch.pi / (0.9 * max(space.extent)))
        phases = 2 * torch.pi * torch.rand(4, generator=generator, dtype=torch.float64)
        heights = torch.randn(4, d, generator=generator, dtype=torch.float64)
        ripples = torch.sin((space.grid() - space.centre) @ waves.T + phases) @ heights
        return (largest_mm * ripples / ripples.norm(dim=-1).max()).movedim(-1, 0).to(dtype)

    return make


@pytest.fixture
def points_inside() -> Callable[..., torch.Tensor]:
    """Random world points in the middle of a field of view, double precision: points_inside(space, count=50)."""

    def make(space: Space, count: int = 50, seed: int = 1, part: float = 0.5) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        unit = 0.5 + part * (torch.rand(count, space.dimension, generator=generator, dtype=torch.float64) - 0.5)
        return space.to_world(unit * (torch.tensor(space.shape) - 1))

    return make

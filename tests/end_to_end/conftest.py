"""The command line as a user runs it: in a folder of small images, in this process unless said otherwise."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

import pullback as pb
from pullback.cli.main import main
from pullback.registration import recipe_file

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a training prepares is not left in the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULLBACK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """run("register", fixed, moving, ...) in this process."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # main would set it, and not take it back

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture
def program() -> Callable[..., subprocess.Popen[str]]:
    """Start the real program."""

    def program(*arguments: object, **more: object) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "pullback", *(str(a) for a in arguments)]
        paths = os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": paths}, text=True, **pipes)

    return program


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of a few steps: rigid, then deformable."""
    recipe = pb.recipes.named("deformable")
    stages = [recipe.stages[0]]
    for stage in (recipe.stages[1], recipe.stages[3]):
        levels = tuple(replace(level, steps=5) for level in stage.schedule.levels[:2])
        stages.append(replace(stage, schedule=replace(stage.schedule, levels=levels)))
    path = tmp_path_factory.mktemp("recipes") / "quick.yaml"
    path.write_text(recipe_file.to_yaml(replace(recipe, name="quick", stages=tuple(stages))), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2D: fixed, moving, seg (of moving), fixed_seg, mask (of fixed), points.csv (in fixed)."""
    return _images(tmp_path_factory.mktemp("flat"), (44, 40), (6, 6))


@pytest.fixture(scope="session")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 3D."""
    return _images(tmp_path_factory.mktemp("deep"), (6, 36, 32), (12, 7, 7))


def _images(folder: Path, shape: tuple[int, ...], spacing: tuple[float, ...]) -> Path:
    pair = pb.phantom.make("pair", shape=shape, spacing=spacing, dimension=len(shape), max_mm=6.0)
    pb.write_image(pair.fixed, folder / "fixed.nii.gz")
    pb.write_image(pair.moving, folder / "moving.nii.gz")
    pb.write_image(pair.moving_labels, folder / "seg.nii.gz")
    pb.write_image(pair.fixed_labels, folder / "fixed_seg.nii.gz")
    pb.write_image(pb.Image(torch.ones_like(pair.fixed.data), pair.fixed.space), folder / "mask.nii.gz")
    voxels = torch.tensor([[0.3, 0.4, 0.5], [0.5, 0.5, 0.5], [0.6, 0.45, 0.4]], dtype=torch.float64)
    inside = voxels[:, : len(shape)] * (torch.tensor(shape) - 1)
    pb.write_points(pb.Points(pair.fixed.space.to_world(inside)), folder / "points.csv")
    return folder


@pytest.fixture(scope="session")
def result(flat: Path, quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder of the 2D images, with everything that can be carried along."""
    return _register(flat, quick, tmp_path_factory.mktemp("out") / "result")


@pytest.fixture(scope="session")
def deep_result(deep: Path, quick: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 3D."""
    return _register(deep, quick, tmp_path_factory.mktemp("out") / "result")


def _register(folder: Path, recipe: Path, out: Path) -> Path:
    words = ["register", folder / "fixed.nii.gz", folder / "moving.nii.gz", "--out", out, "--recipe", recipe,
             "--labels", folder / "seg.nii.gz", "--points", folder / "points.csv", "--displacement", "-q"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    return out

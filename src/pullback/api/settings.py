"""settings: which recipe, device, threads and seed, and what is written down about a run."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pullback import __version__
from pullback.errors import InputError
from pullback.registration import Recipe, recipe_file
from pullback.registration.recipes import RECIPES, named


def find_recipe(recipe: str | Path | Recipe) -> Recipe:
    """A recipe by its name, from a YAML file, or as it is.

    Raises:
        RecipeError: there is no such recipe, or the file does not hold one.

    Example:
        >>> find_recipe("default").name
        'deformable'
    """
    if isinstance(recipe, Recipe):
        return recipe
    name = str(recipe)
    if name != "default" and name not in RECIPES and (name.endswith((".yaml", ".yml")) or Path(name).is_file()):
        return recipe_file.read(name)
    return named(name)


def chosen_device(name: str) -> str:
    """The device to compute on.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in counts or (index and not index.isdigit()):
        raise InputError(f"there is no device {name!r}; choose auto, cpu, cuda or mps")
    if int(index or 0) >= counts[kind]:
        raise InputError(f"this machine has {counts[kind]} {kind} device(s), and {name!r} is not among them; use cpu")
    return name


@contextmanager
def settings(threads: int | None, seed: int) -> Iterator[None]:
    """Threads and the seed, put back afterwards."""
    if threads is not None and threads < 1:
        raise InputError(f"the number of threads must be at least 1; got {threads}")
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _origin(thing: Any) -> str | None:
    return str(Path(thing).absolute()) if isinstance(thing, str | Path) else None


def provenance_of(things: dict[str, Any], device: str, seed: int, notes: list[str]) -> dict[str, Any]:
    """Where the images came from, when, and by what the result was made."""
    return {
        **{name: _origin(thing) for name, thing in things.items()},
        "pullback": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": torch.get_num_threads(),
        "seed": seed,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **({"warnings": notes} if notes else {}),
    }

"""A training as the command line asked for it, or as its folder remembers it."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pullback.cli.prepared import prepared
from pullback.errors import InputError, ModelError
from pullback.learn import TRAININGS, Dataset, Grid, TrainingRecipe, dataset, training
from pullback.learn.journal import CHECKPOINT
from pullback.learn.tensors import read_text
from pullback.registration import recipe_file

USE = "# A training recipe of pullback. Use it with: pullback train DATA --out DIR --recipe THIS_FILE.yaml"


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What to train on, how, and what the folder shall remember of it."""

    recipe: TrainingRecipe
    data: Dataset
    notes: dict[str, Any]


def shown(name: str) -> str:
    """A training recipe as YAML."""
    return recipe_file.to_yaml(find_training(name), USE)


def find_training(name: str) -> TrainingRecipe:
    """By its name, or from a YAML file.

    Raises:
        RecipeError: there is none, or the file does not hold one.
    """
    if name not in TRAININGS and (name.endswith((".yaml", ".yml")) or Path(name).is_file()):
        return recipe_file.read_as(TrainingRecipe, name)
    return training(name)


def job_of(options: Namespace) -> TrainingJob:
    """From the command line."""
    recipe = find_training(options.recipe)
    how = recipe.training if options.seed is None else replace(recipe.training, seed=options.seed)
    recipe = replace(recipe, training=_with_steps(how, options.steps))
    source = options.dataset if options.data is None else str(Path(options.data).absolute())
    place = {
        "from": source,
        "spacing_mm": options.spacing,
        "shape": options.shape,
        "atlas": None if options.atlas is None else str(options.atlas.absolute()),
        "seed": how.seed,
    }
    return _job(recipe, place, options)


def resumed_job(options: Namespace) -> TrainingJob:
    """From the checkpoint of a training; --steps may change how far it goes.

    Raises:
        InputError: there is no checkpoint, or it is not of a training from the command line.
    """
    path = options.resume / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{options.resume} holds no checkpoint to resume; start with pullback train ... --out")
    text = read_text(path)
    try:
        recipe, place = recipe_file.build(TrainingRecipe, text["recipe"]), dict(text["data"])
        place = {name: place[name] for name in ("from", "spacing_mm", "shape", "atlas", "seed")}
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path} does not say what it was trained on; resume it from Python") from error
    return _job(replace(recipe, training=_with_steps(recipe.training, options.steps)), place, options)


def _job(recipe: TrainingRecipe, place: dict[str, Any], options: Namespace) -> TrainingJob:
    size = [None if place[name] is None else tuple(place[name]) for name in ("spacing_mm", "shape")]
    atlas = None if place["atlas"] is None else Path(place["atlas"])
    with prepared(options, options.quiet) as cache:
        data = dataset(place["from"], grid_of=Grid(*size), atlas=atlas, seed=place["seed"],
                       download=options.download, cache=cache)  # fmt: skip
    return TrainingJob(recipe, data, {"recipe": recipe_file.to_dict(recipe), "data": place})


def _with_steps(how: Any, steps: int | None) -> Any:
    return how if steps is None else replace(how, epochs=max(1, math.ceil(steps / how.steps)))

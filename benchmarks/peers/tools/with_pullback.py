"""pullback, through its command line: `pullback register FIXED MOVING --out DIR --recipe RECIPE`.

The recipes are those that come with it: `deformable` (the default), `cardiac-sax` for hearts, `rigid`, `affine`.
Where no linear stage is wanted, the default recipe without its linear stages. Variant 100x50x10: the default's
deformable stage, with Greedy's numbers of steps and none saved by its stopping rule. Variant fast: the recipe `fast`.
Any other variant is the name of a recipe, taken as it is.
The command always writes the warped image and a report of quality besides the transform; the peers' scripts do not.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from task import Task, main

MADE = re.compile(r"fast|\d+(x\d+)*")
"""Variants for which a recipe is written."""


def program() -> list[str]:
    """PEERS_PULLBACK, or the command beside this interpreter."""
    given = os.environ.get("PEERS_PULLBACK")
    if given:
        return shlex.split(given)
    beside = Path(sys.executable).with_name("pullback")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "pullback"]


def command(task: Task) -> list[str]:
    """What `run.py` times."""
    recipe = {"rigid": "rigid", "affine": "affine"}.get(task.kind, "deformable")
    if task.kind == "full" and task.facts["group"] == "cardiac":
        recipe = "cardiac-sax"
    if task.variant and not MADE.fullmatch(task.variant):
        recipe = task.variant
    elif task.kind == "deformable" or task.variant:
        recipe = str(write_recipe(task))
    words = [task.fixed, task.moving, "--out", task.path("result"), "--recipe", recipe, "--threads", str(task.threads)]
    return [*program(), "register", *words, "--quiet"]


def write_recipe(task: Task) -> Path:
    path = Path(task.path("recipe.yaml"))
    words = [sys.executable, __file__, "recipe", str(path), task.kind, task.variant]
    subprocess.run(words, check=True)  # apart, so that the process that times stays small
    return path


def make_recipe(path: str, kind: str, variant: str) -> None:
    from pullback.optimise import Level
    from pullback.registration import recipe_file, recipes

    recipe = recipes.named("fast" if variant == "fast" else "deformable")
    last = recipe.dense
    place = recipe.stages.index(last)
    if variant not in ("", "fast"):
        levels = [Level(shrink, steps) for shrink, steps in zip((4, 2, 1), map(int, variant.split("x")), strict=True)]
        last = replace(last, schedule=replace(last.schedule, levels=tuple(levels), tolerance=0.0))
    stages = (last,) if kind == "deformable" else (*recipe.stages[:place], last, *recipe.stages[place + 1 :])
    made = replace(recipe, name=f"{kind} {variant}".strip(), stages=stages)
    Path(path).write_text(recipe_file.to_yaml(made))


def register(task: Task) -> None:
    """For a run by hand; `run.py` calls the program itself."""
    subprocess.run(command(task), check=True)


def convert(task: Task) -> None:
    words = ["apply", task.path("result"), "--displacement", "--out", task.path("displacement.nii")]
    subprocess.run([*program(), *words], check=True, stdout=subprocess.DEVNULL)


def version() -> str:
    import pullback

    return f"pullback {pullback.__version__}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["recipe"]:
        make_recipe(*sys.argv[2:5])
    else:
        main(register, convert, version)

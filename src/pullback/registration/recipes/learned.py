"""Learned: a network's answer, checked, perhaps refined, with a classical recipe to fall back on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pullback.errors import RecipeError
from pullback.optimise import Level, Schedule
from pullback.registration.initialisation import AlignCentres
from pullback.registration.predict import predict_by
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.deformable import deformable
from pullback.registration.stage import Optimise, Stage

if TYPE_CHECKING:
    import pullback.learn


def learned(
    model: pullback.learn.PairNetwork | str | Path,
    finetune: Optimise | int | None = None,
    fallback: Recipe | None = None,
    align: bool = True,
) -> Recipe:
    """A recipe around a trained network.

    Args:
        model: the network, its .safetensors file, the folder of its training, or the name of one that comes with
            pullback: "heart-2d" or "cine-2d".
        finetune: what refines its answer for this pair: a stage (`pb.recipes.default().dense`), or a number of steps of
            the fallback's dense stage; nothing by default.
        fallback: what to run where the answer is not trusted; `deformable` by default.
        align: whether to align the centres first where the headers do not place the images on each other.

    Raises:
        ModelError: the file cannot be used.
        RecipeError: a number of steps below 1, of a recipe without a dense stage.
    """
    fallback = deformable() if fallback is None else fallback
    stages: list[Stage] = [AlignCentres()] if align else []
    stages.append(replace(predict_by(model), fallback=fallback.stages))
    if finetune is not None:
        stages.append(refinement(finetune, fallback) if isinstance(finetune, int) else finetune)
    return Recipe(
        name="learned",
        description="A trained network's answer, checked; a classical registration where it is not to be trusted.",
        stages=tuple(stages),
    )


def refinement(steps: int, recipe: Recipe) -> Optimise:
    """So many steps of a recipe's dense stage, from where the network ended: most of them at half resolution.

    As many at a quarter of it come first: they cost little, and mend what the network missed by far.

    Raises:
        RecipeError: fewer than one, or the recipe has no dense stage.
    """
    if steps < 1:
        raise RecipeError(f"a refinement needs at least one step; got {steps}")
    fine = steps // 3
    levels = Level(4, steps=steps), Level(2, steps=steps - fine), *((Level(1, steps=fine),) if fine else ())
    return replace(recipe.dense, schedule=Schedule(levels))

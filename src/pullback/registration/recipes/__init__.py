"""The recipes that come with pullback: short functions that build a `Recipe`, with a reason for every choice."""

from collections.abc import Callable

from pullback.errors import RecipeError
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.cardiac_sax import cardiac_sax
from pullback.registration.recipes.deformable import deformable
from pullback.registration.recipes.fast import fast
from pullback.registration.recipes.learned import learned
from pullback.registration.recipes.linear import affine, rigid
from pullback.registration.recipes.multimodal import multimodal

RECIPES: dict[str, Callable[[], Recipe]] = {
    "deformable": deformable,
    "fast": fast,
    "rigid": rigid,
    "affine": affine,
    "multimodal": multimodal,
    "cardiac-sax": cardiac_sax,
}
DEFAULT = "deformable"


def named(name: str) -> Recipe:
    """The recipe of a name; "default" is "deformable".

    Raises:
        RecipeError: there is no such recipe.
    """
    make = RECIPES.get(DEFAULT if name == "default" else name)
    if make is None:
        raise RecipeError(f"there is no recipe {name!r}; choose one of {', '.join(RECIPES)}, or give a .yaml file")
    return make()


def default() -> Recipe:
    """The recipe that is used where none is named."""
    return named("default")


__all__ = [
    "DEFAULT",
    "RECIPES",
    "affine",
    "cardiac_sax",
    "default",
    "deformable",
    "fast",
    "learned",
    "multimodal",
    "named",
    "rigid",
]

"""The recipes that come with pullback: short functions that build a `Recipe`, with a reason for every choice."""

from collections.abc import Callable

from pullback.errors import RecipeError
from pullback.registration.recipe import Recipe
from pullback.registration.recipes.brain import brain_intersubject, brain_mri
from pullback.registration.recipes.cardiac_sax import cardiac_sax
from pullback.registration.recipes.cine import cine
from pullback.registration.recipes.deformable import deformable
from pullback.registration.recipes.fast import fast
from pullback.registration.recipes.group import group
from pullback.registration.recipes.large_deformation import large_deformation
from pullback.registration.recipes.learned import learned
from pullback.registration.recipes.linear import affine, rigid, similarity, translation
from pullback.registration.recipes.longitudinal import longitudinal
from pullback.registration.recipes.lung_ct import lung_ct
from pullback.registration.recipes.multimodal import cardiac_multimodal, multimodal
from pullback.registration.recipes.prostate_mr_us import prostate_mr_us
from pullback.registration.recipes.thorough import thorough

RECIPES: dict[str, Callable[[], Recipe]] = {
    "deformable": deformable,
    "fast": fast,
    "thorough": thorough,
    "translation": translation,
    "rigid": rigid,
    "similarity": similarity,
    "affine": affine,
    "multimodal": multimodal,
    "brain-mri": brain_mri,
    "brain-intersubject": brain_intersubject,
    "cardiac-sax": cardiac_sax,
    "cardiac-multimodal": cardiac_multimodal,
    "longitudinal": longitudinal,
    "large-deformation": large_deformation,
    "lung-ct": lung_ct,
    "prostate-mr-us": prostate_mr_us,
    "cine": cine,
    "group": group,
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
    "brain_intersubject",
    "brain_mri",
    "cardiac_multimodal",
    "cardiac_sax",
    "cine",
    "default",
    "deformable",
    "fast",
    "group",
    "large_deformation",
    "learned",
    "longitudinal",
    "lung_ct",
    "multimodal",
    "named",
    "prostate_mr_us",
    "rigid",
    "similarity",
    "thorough",
    "translation",
]

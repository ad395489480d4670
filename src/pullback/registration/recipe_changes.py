"""changed: a recipe with a few values of its own, without a file for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pullback.energy import Term
from pullback.errors import RecipeError
from pullback.registration import recipe_file
from pullback.registration.recipe import Recipe


def changed(recipe: Recipe, settings: Iterable[str] = (), terms: Iterable[str] = ()) -> Recipe:
    """The recipe with some values set, and further terms in what its stages minimise.

    Args:
        recipe: what to change.
        settings: each PLACE=VALUE, the place as the recipe's file nests it, with dots between keys and numbers for list
            items (from 0, or from -1 backwards); the value as YAML.
        terms: each a `Term` as YAML, added to all stages that minimise something.

    Raises:
        RecipeError: a place is not there, or what would stand there makes no sense; names what is allowed.

    Example:
        >>> from pullback.registration import recipes
        >>> mine = changed(recipes.fast(), ["prepare.flatten_mm=40", "stages.-1.schedule.tolerance=1e-3"])
        >>> mine.prepare.flatten_mm, changed(mine, terms=["{similarity: {kind: SurfaceDistance}}"]).name
        (40.0, 'fast')
    """
    tree = recipe_file.to_dict(recipe)
    settings, terms = list(settings), list(terms)
    for setting in settings:
        place, equals, text = setting.partition("=")
        if not equals or not place.strip():
            raise RecipeError(f"a setting is PLACE=VALUE, such as prepare.flatten_mm=40; got {setting!r}")
        _put(tree, place.strip().split("."), recipe_file.parse(text), place.strip())
    mine = recipe_file.from_dict(tree) if settings else recipe
    return mine.adding(*(recipe_file.build(Term, recipe_file.parse(text)) for text in terms)) if terms else mine


def _put(tree: Any, keys: list[str], value: Any, place: str) -> None:
    """Write a value into nested dictionaries and lists."""
    for key in keys[:-1]:
        tree = tree[_found(tree, key, place)]
    tree[_found(tree, keys[-1], place)] = value


def _found(tree: Any, key: str, place: str) -> str | int:
    """A key of a dictionary, or the number of a list item, that is there."""
    if isinstance(tree, dict):
        if key not in tree:
            raise RecipeError(f"{place}: there is no {key!r} here; there is {', '.join(tree)}")
        return key
    if not isinstance(tree, list):
        raise RecipeError(f"{place}: {key!r} would stand inside of {tree!r:.40}, which holds no further values")
    if not re.fullmatch("-?[0-9]{1,9}", key) or not -len(tree) <= int(key) < len(tree):
        raise RecipeError(f"{place}: there is no item {key!r} here; there are {len(tree)}, numbered from 0")
    return int(key)

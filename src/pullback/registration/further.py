"""Further: what else is known of the two images, by the names under which a recipe's terms ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeAlias

from pullback.energy import Landmarks, RegulariserTerm, Similarity, Surfaces
from pullback.energy.terms import compares_landmarks, compares_points, compares_surfaces, flat, keys
from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.optimise import Sliding
from pullback.registration.recipe import Recipe

Shown: TypeAlias = Image | Labels
"""What a further pair may be: brightness, or labels."""


@dataclass(frozen=True, eq=False)
class Further:
    """What else is known of the two images.

    Attributes:
        also: by name, further images of the fixed and of the moving world, each on a grid of its own.
        masks: by name, where the fixed and where the moving world counts, each on its own grid; None for all of it.
        landmarks: points that belong together.
        surfaces: points on surfaces of both images, in no order.
    """

    also: Mapping[str, tuple[Shown, Shown]] = field(default_factory=dict)
    masks: Mapping[str, tuple[Image | None, Image | None]] = field(default_factory=dict)
    landmarks: Landmarks | None = None
    surfaces: Surfaces | None = None

    @property
    def named(self) -> bool:
        """Whether there is anything."""
        return bool(self.also or self.masks or self.landmarks or self.surfaces)


def similarities(value: Any) -> Iterator[Similarity]:
    """Every measure in a recipe or a part of it, sums as one."""
    if isinstance(value, Similarity):
        yield value
    elif is_dataclass(value):
        for f in fields(value):
            item = getattr(value, f.name)
            for part in item if isinstance(item, tuple) else (item,):
                yield from similarities(part)


def regions(value: Any, given: Iterable[str] = ()) -> Iterator[str]:
    """The masks within which regularisers of a recipe act, or along which a model lets things slide, by name.

    Args:
        value: a recipe, or a part of it.
        given: masks that are there; of others, only those are told that it cannot do without.
    """
    if isinstance(value, RegulariserTerm) and value.within is not None:
        yield value.within
    if isinstance(value, Sliding) and (not value.optional or value.within in given):
        yield value.within
    if is_dataclass(value):
        for f in fields(value):
            item = getattr(value, f.name)
            for part in item if isinstance(item, tuple) else (item,):
                yield from regions(part, given)


def beds(value: Any) -> Iterator[str]:
    """The masks along which a model of a recipe would let things slide if they were given, by name."""
    if isinstance(value, Sliding) and value.optional:
        yield value.within
    if is_dataclass(value):
        for f in fields(value):
            item = getattr(value, f.name)
            for part in item if isinstance(item, tuple) else (item,):
                yield from beds(part)


def check_further(recipe: Recipe, further: Further, dimension: int) -> None:
    """Whether the recipe and what was given name the same things.

    Raises:
        InputError: something is named that was not given, or given and named nowhere, or of another dimension.
    """
    found = list(similarities(recipe))
    _check_point_terms(recipe, found)
    wanted = [key for similarity in found for key in keys(similarity)]
    _match(recipe, "images", {images for images, _ in wanted if images}, further.also, "also")
    _match(
        recipe,
        "mask",
        {mask for _, mask in wanted if mask} | set(regions(recipe, further.masks)),
        further.masks,
        "masks",
        optional=beds(recipe),
    )
    points = any(compares_landmarks(similarity) for similarity in found)
    if points and further.landmarks is None:
        raise InputError(f"the recipe {recipe.name!r} compares landmarks, and none were given; give "
                         "landmarks=(fixed, moving) (--fixed-points and --moving-points)")  # fmt: skip
    if further.landmarks is not None and not points:
        raise InputError(f"landmarks were given, but the recipe {recipe.name!r} compares none; add a term to "
                         "it (Recipe.adding, or --term '{similarity: {kind: LandmarkDistance}, weight: 0.002}'), or "
                         "leave them out")  # fmt: skip
    _check_surfaces(recipe, found, further.surfaces)
    given = [(f"the images {name!r}", image.dimension) for name, pair in further.also.items() for image in pair]
    given += [(f"the mask {name!r}", m.dimension) for name, pair in further.masks.items() for m in pair if m]
    given += [("the landmarks", further.landmarks.fixed.dimension)] if further.landmarks else []
    given += [("the surfaces", further.surfaces.dimension)] if further.surfaces else []
    for what, has in given:
        if has != dimension:
            raise InputError(f"{what} are {has}D but the two images to register are {dimension}D")


def _check_point_terms(recipe: Recipe, similarities: list[Similarity]) -> None:
    """Whether terms that compare points ask for what only images have."""
    for term in (term for similarity in similarities for term in flat(similarity)):
        if compares_points(term.similarity) and term.mask is not None:
            raise InputError(f"the recipe {recipe.name!r} has a term that compares points under the mask "
                             f"{term.mask!r}; points are not masked: leave out those that shall not count")  # fmt: skip


def _check_surfaces(recipe: Recipe, similarities: list[Similarity], surfaces: Surfaces | None) -> None:
    """Whether terms and what was given name the same surfaces."""
    wanted = {name for similarity in similarities for name in compares_surfaces(similarity)}
    given = set() if surfaces is None else set(surfaces.named)
    if wanted and not given:
        raise InputError(f"the recipe {recipe.name!r} compares surfaces, and none were given; give surfaces={{name: "
                         "(fixed points, moving points)} (--surface NAME=FIXED,MOVING)")  # fmt: skip
    if given and not wanted:
        raise InputError(f"surfaces were given, but the recipe {recipe.name!r} compares none; add a term to "
                         "it (Recipe.adding, or --term '{similarity: {kind: SurfaceDistance}, weight: 0.01}'), or "
                         "leave them out")  # fmt: skip
    missing, idle = sorted(wanted - given - {None}, key=str), sorted(given - wanted)
    if missing:
        raise InputError(f"the recipe {recipe.name!r} compares the surface {missing[0]!r}, not among what was given "
                         f"({', '.join(sorted(given))}); give --surface {missing[0]}=FIXED,MOVING")  # fmt: skip
    if idle and None not in wanted:
        raise InputError(f"the surface {idle[0]!r} was given, but no term of the recipe {recipe.name!r} names it; add "
                         "one, or one without a name for all of them, or leave it out")  # fmt: skip


def of_labels(recipe: Recipe, name: str) -> bool:
    """Whether some term of the recipe takes these images for label maps."""
    terms = (term for similarity in similarities(recipe) for term in flat(similarity))
    return any(term.images == name and term.similarity.of_labels for term in terms)


def _match(
    recipe: Recipe, what: str, wanted: set[str], given: Iterable[str], option: str, optional: Iterable[str] = ()
) -> None:
    for name in sorted(wanted - set(given)):
        flag = f"--{option.removesuffix('s')} {name}=FIXED,MOVING"
        raise InputError(f"the recipe {recipe.name!r} compares the {what} {name!r}, not among what was given; give "
                         f"{option}={{{name!r}: (fixed, moving)}} ({flag})")  # fmt: skip
    for name in sorted(set(given) - wanted):
        named = ", ".join(sorted({*wanted, *optional}))
        known = f" (it knows {named})" if named else ""
        raise InputError(f"the {what} {name!r} was given, but the recipe {recipe.name!r} does not name it{known}; add "
                         f"a term with {what}={name!r} (Recipe.adding, or its YAML file), or leave it out")  # fmt: skip

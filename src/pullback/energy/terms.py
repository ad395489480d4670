"""terms: what an energy asks for by name, and its addends once that is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pullback.energy.pair import Key, Pair
from pullback.energy.part import ImagePart, LandmarkPart, Part, SurfacePart
from pullback.energy.similarity import LandmarkDistance, Similarity, SurfaceDistance, Term, WeightedSum
from pullback.energy.surfaces import Surfaces
from pullback.errors import InputError

MAIN: Key = (None, None)
"""The two images themselves."""


def flat(similarity: Similarity, weight: float = 1.0) -> Iterator[Term]:
    """Every measure of a sum, and of the sums in it, with its weight; a single measure is a sum of one."""
    if not isinstance(similarity, WeightedSum):
        yield Term(similarity, weight)
        return
    for term in similarity.terms:
        for part in flat(term.similarity, weight * term.weight):
            yield replace(part, images=part.images or term.images, mask=part.mask or term.mask)


def keys(similarity: Similarity) -> tuple[Key, ...]:
    """The images and masks that a measure names, each combination once, without the two images themselves."""
    found = (term.key for term in flat(similarity) if not compares_points(term.similarity))
    return tuple(dict.fromkeys(key for key in found if key != MAIN))


def compares_landmarks(similarity: Similarity) -> bool:
    """Whether a measure, or a term of it, is the distance of landmarks."""
    return any(isinstance(term.similarity, LandmarkDistance) for term in flat(similarity))


def compares_surfaces(similarity: Similarity) -> tuple[str | None, ...]:
    """The surfaces that a measure, or terms of it, compare, by name; None where a term compares all there are."""
    found = (term.images for term in flat(similarity) if isinstance(term.similarity, SurfaceDistance))
    return tuple(dict.fromkeys(found))


def compares_points(measure: Similarity) -> bool:
    """Whether a single measure compares points, and no images."""
    return isinstance(measure, LandmarkDistance | SurfaceDistance)


def grouped(similarity: Similarity) -> tuple[Term, ...]:
    """The addends of an energy, each with its weight and what it looks at.

    Measures of the same images stay together, so that these are pulled back once; but those that compare features are
    by themselves, since they read other channels.
    """
    terms = list(flat(similarity))
    if all(term.key == MAIN and not _apart(term.similarity) for term in terms):
        return (Term(similarity),)
    together: dict[Key, list[Term]] = {}
    for term in terms:
        if not _apart(term.similarity):
            together.setdefault(term.key, []).append(Term(term.similarity, term.weight))
    summed = [_summed(group, key) for key, group in together.items()]
    return (*summed, *(term for term in terms if _apart(term.similarity)))


def parts(similarity: Similarity, pair: Pair) -> tuple[Part, ...]:
    """The addends of an energy, with what they compare.

    Args:
        similarity: one measure, or a sum.
        pair: the images, with those `also` that the measure names.

    Raises:
        InputError: the measure names images or a mask that are not there, or landmarks.
    """
    return tuple(_part(term, pair) for term in grouped(similarity))


def _apart(similarity: Similarity) -> bool:
    return compares_points(similarity) or similarity.has_features


def _summed(group: list[Term], key: Key) -> Term:
    images, mask = key
    if len(group) == 1:
        return replace(group[0], images=images, mask=mask)
    return Term(WeightedSum(tuple(group)), 1.0, images, mask)


def _part(term: Term, pair: Pair) -> Part:
    if isinstance(term.similarity, SurfaceDistance):
        return SurfacePart(term.similarity, seen_surfaces(pair.surfaces, term), term.weight)
    if not isinstance(term.similarity, LandmarkDistance):
        return ImagePart(term.similarity, _seen(pair, term.key), term.weight)
    if pair.landmarks is None:
        raise InputError("a term compares landmarks, and there are none; give landmarks=(fixed, moving)")
    return LandmarkPart(term.similarity, pair.landmarks, term.weight)


def seen_surfaces(surfaces: Surfaces | None, term: Term) -> Surfaces:
    """The surfaces of a term.

    Raises:
        InputError: they are not there.
    """
    if surfaces is None:
        raise InputError("a term compares surfaces, and there are none; give surfaces=(fixed, moving)")
    return surfaces.chosen(term.images)


def _seen(pair: Pair, key: Key) -> Pair:
    """The images of a term."""
    if key == MAIN:
        return pair
    if key not in pair.also:
        images, mask = key
        what = f"the mask {mask!r}" if images is None else f"the images {images!r}"
        raise InputError(f"a term compares {what}, which are not there; give them to register")
    return pair.also[key]

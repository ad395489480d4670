"""by_term: what each term of a sum makes of the result, where the terms compare different things."""

from __future__ import annotations

import torch

from pullback.energy import Energy, LandmarkDistance, Pair, Similarity, SurfaceDistance, Term, WeightedSum
from pullback.energy.surfaces import surface_distance
from pullback.energy.terms import compares_points, flat, keys
from pullback.evaluate import target_registration_error
from pullback.image import Points
from pullback.transforms import Transform


def by_term(similarity: Similarity, pair: Pair, before: Transform, after: Transform) -> tuple[str, ...]:
    """A line for each term: its loss where the registration set out, and at its end; landmarks and surfaces in mm.

    Args:
        similarity: what the last stage minimised.
        pair: the images of its last level, with those that its terms name.
        before: where the registration set out.
        after: where it ended.

    Returns:
        Nothing where all terms compare the two images alone.
    """
    if not keys(similarity) and not any(compares_points(term.similarity) for term in flat(similarity)):
        return ()
    lines = []
    for term in flat(similarity):
        with torch.no_grad():
            losses = [_figure(term, pair, transform) for transform in (before, after)]
        lines.append(f"{_name(term)}: {losses[0]:.3g} before, {losses[1]:.3g} after")
    return tuple(lines)


def _figure(term: Term, pair: Pair, transform: Transform) -> float:
    if isinstance(term.similarity, LandmarkDistance) and pair.landmarks is not None:
        return float(target_registration_error(transform, pair.landmarks.fixed, pair.landmarks.moving).mean())
    if isinstance(term.similarity, SurfaceDistance) and pair.surfaces is not None:
        named = pair.surfaces.chosen(term.images).named.values()
        apart = [surface_distance(Points(transform.move(fixed.world)), moving) for fixed, moving in named]
        return sum(apart) / len(apart)
    return float(Energy(WeightedSum((Term(term.similarity, 1.0, term.images, term.mask),))).loss(pair, transform))


def _name(term: Term) -> str:
    if isinstance(term.similarity, LandmarkDistance):
        return f"landmarks (mean mm, weight {term.weight:g})"
    if isinstance(term.similarity, SurfaceDistance):
        which = "surfaces" if term.images is None else f"surface {term.images}"
        return f"{which} (mean mm, weight {term.weight:g})"
    of = "" if term.images is None else f" of {term.images}"
    under = "" if term.mask is None else f" under {term.mask}"
    return f"{type(term.similarity).__name__}{of}{under} (loss, weight {term.weight:g})"

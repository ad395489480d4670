"""Phantoms by name, for the command line and for whoever wants one quickly."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from pullback.errors import InputError
from pullback.phantom.beating import Cine, beating_heart
from pullback.phantom.breathing import breathing_chest
from pullback.phantom.heart import Phantom, heart, heart_space
from pullback.phantom.heart_pair import heart_pair
from pullback.phantom.pair import Pair
from pullback.phantom.short_axis import short_axis, short_axis_labels

Made: TypeAlias = Phantom | Cine | Pair
"""What a name in the catalogue makes."""


def _sax() -> Phantom:
    return Phantom(short_axis(), short_axis_labels())


MAKERS: dict[str, tuple[str, Callable[..., Made]]] = {
    "sax": ("binary short-axis heart of the tutorials, 40 x 64 voxels of 1 mm", _sax),
    "heart": ("short-axis cine slice of a chest (bright blood), with labels", heart),
    "heart-t2": ("the same slice as a T2-weighted image (dark blood)", partial(heart, contrast="t2")),
    "heart-3d": ("stack of 12 thick short-axis cine slices, with labels", partial(heart, 3)),
    "heart-3d-t2": ("the same stack as a T2-weighted image", partial(heart, 3, contrast="t2")),
    "beating": ("frames of one heart beat, each with its labels and exact transform", beating_heart),
    "pair": ("two hearts to register: fixed and moving, labels, and the exact transform", heart_pair),
    "lungs": ("a chest breathed out and in: lungs that slide along the ribs, labels, exact motion", breathing_chest),
}


def names() -> dict[str, str]:
    """Every name that `make` knows, with one line that says what it makes.

    Example:
        >>> list(names())
        ['sax', 'heart', 'heart-t2', 'heart-3d', 'heart-3d-t2', 'beating', 'pair', 'lungs']
    """
    return {name: line for name, (line, _) in MAKERS.items()}


def options(name: str) -> tuple[str, ...]:
    """The options that a name takes.

    Raises:
        InputError: there is no such name.

    Example:
        >>> options("sax")
        ()
    """
    if name not in MAKERS:
        raise InputError(f"there is no phantom {name!r}; choose one of {', '.join(MAKERS)}")
    maker = MAKERS[name][1]
    fixed_already = {"dimension", "contrast"} & set(maker.keywords) if isinstance(maker, partial) else set()
    if isinstance(maker, partial) and maker.args:
        fixed_already |= {"dimension"}
    taken = [option for option in inspect.signature(maker).parameters if option not in fixed_already]
    return tuple(taken + (["shape", "spacing"] if "space" in taken else []))


def make(name: str, **settings: Any) -> Made:
    """A phantom by its name.

    Args:
        name: one of `names()`.
        **settings: passed on, see `options(name)`; besides, `shape` and `spacing` instead of a `space`.

    Returns:
        A Phantom, a Cine (beating) or a Pair (pair, lungs).

    Raises:
        InputError: there is no such name, or it does not take such an option.

    Example:
        >>> make("heart", seed=4, shape=(64, 64), spacing=(4, 4)).image
        Image(1 channel, Space(64 x 64 voxels of 4 x 4 mm))
    """
    known = options(name)
    unknown = sorted(set(settings) - set(known))
    if unknown:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise InputError(f"the phantom {name!r} has no option {', '.join(unknown)}; {takes}")
    shape, spacing = settings.pop("shape", None), settings.pop("spacing", None)
    if shape is not None or spacing is not None:
        if settings.get("space") is not None:
            raise InputError("give either a space, or shape and spacing")
        dimension = 3 if "-3d" in name else settings.get("dimension", 2)
        settings["space"] = heart_space(dimension, shape, spacing)
    return MAKERS[name][1](**settings)
